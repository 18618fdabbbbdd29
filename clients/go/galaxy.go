package mxgateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"mxaccess-gateway.example/clients/go/galaxypb"
)

const galaxyService = "/galaxy_repository.v1.GalaxyRepository/"

// Galaxy reads the deployed objects of a Galaxy through a gateway.
type Galaxy struct{ c *connection }

// ConnectGalaxy makes a client of the Galaxy service and waits until the gateway answers; errors as of Connect.
func ConnectGalaxy(ctx context.Context, endpoint string, options ...Option) (*Galaxy, error) {
	c, err := newConnection(endpoint, options)
	if err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		_ = c.close()
		return nil, err
	}
	return &Galaxy{c}, nil
}

// Galaxy is the Galaxy service on the connection of this client; closing either closes both.
func (c *Client) Galaxy() *Galaxy { return &Galaxy{c.c} }

// Close ends all calls. Idempotent.
func (g *Galaxy) Close() error { return g.c.close() }

// State is where the connection stands now.
func (g *Galaxy) State() ConnectionState { return g.c.state() }

func (g *Galaxy) unary(ctx context.Context, rpc string, request, reply proto.Message) error {
	what := call{rpcCall: rpcCall{what: rpc, galaxy: true}, method: galaxyService + rpc, idempotent: true}
	return g.c.unary(ctx, what, request, reply)
}

// TestConnection tells whether the gateway reaches the Galaxy database now.
func (g *Galaxy) TestConnection(ctx context.Context) (bool, error) {
	reply := &galaxypb.TestConnectionReply{}
	err := g.unary(ctx, "TestConnection", &galaxypb.TestConnectionRequest{}, reply)
	return reply.GetOk(), err
}

// LastDeployTime is when the Galaxy was last deployed; false when it never was.
func (g *Galaxy) LastDeployTime(ctx context.Context) (time.Time, bool, error) {
	reply, err := g.LastDeployTimeRaw(ctx)
	if err != nil || !reply.GetPresent() {
		return time.Time{}, false, err
	}
	return reply.GetTimeOfLastDeploy().AsTime(), true, nil
}

// LastDeployTimeRaw is LastDeployTime with the generated message.
func (g *Galaxy) LastDeployTimeRaw(ctx context.Context) (*galaxypb.GetLastDeployTimeReply, error) {
	reply := &galaxypb.GetLastDeployTimeReply{}
	return reply, g.unary(ctx, "GetLastDeployTime", &galaxypb.GetLastDeployTimeRequest{}, reply)
}

// Filter chooses objects and attributes. The zero value takes everything.
type Filter struct {
	// Root is the tag name to start at, RootID its number, RootPath its browse names joined by /; at most one of them.
	Root     string
	RootID   int32
	RootPath string
	// MaxDepth is how many levels below the root; nil for all.
	MaxDepth *int32
	// CategoryIDs, TemplateChainContains and TagNameGlob (* and ?, without case) narrow the objects.
	CategoryIDs           []int32
	TemplateChainContains []string
	TagNameGlob           string
	// WithoutAttributes leaves the attributes out.
	WithoutAttributes                bool
	AlarmBearingOnly, HistorizedOnly bool
	AttributeOrigins                 []galaxypb.AttributeOrigin
	IncludeAncestors                 bool
	// PageSize is how many objects travel at once; 0 for the gateway's choice.
	PageSize int32
}

func (f Filter) request() (*galaxypb.DiscoverHierarchyRequest, error) {
	with := !f.WithoutAttributes
	request := &galaxypb.DiscoverHierarchyRequest{
		PageSize: f.PageSize, CategoryIds: f.CategoryIDs, TemplateChainContains: f.TemplateChainContains,
		TagNameGlob: f.TagNameGlob, IncludeAttributes: &with, AlarmBearingOnly: f.AlarmBearingOnly,
		HistorizedOnly: f.HistorizedOnly, AttributeOrigins: f.AttributeOrigins, IncludeAncestors: f.IncludeAncestors,
	}
	roots := 0
	if f.Root != "" {
		roots++
		request.Root = &galaxypb.DiscoverHierarchyRequest_RootTagName{RootTagName: f.Root}
	}
	if f.RootID != 0 {
		roots++
		request.Root = &galaxypb.DiscoverHierarchyRequest_RootGobjectId{RootGobjectId: f.RootID}
	}
	if f.RootPath != "" {
		roots++
		request.Root = &galaxypb.DiscoverHierarchyRequest_RootContainedPath{RootContainedPath: f.RootPath}
	}
	if roots > 1 {
		return nil, argumentError("root", "give one of Root, RootID and RootPath (root, root_contained_path)")
	}
	if f.MaxDepth != nil {
		request.MaxDepth = wrapperspb.Int32(*f.MaxDepth)
	}
	return request, nil
}

// Objects gives the deployed objects, parents before children. The next page is asked for when the one before is used
// up; an error is the last thing that it gives.
func (g *Galaxy) Objects(ctx context.Context, filter Filter) iter.Seq2[*galaxypb.GalaxyObject, error] {
	return func(yield func(*galaxypb.GalaxyObject, error) bool) {
		request, err := filter.request()
		if err != nil {
			yield(nil, err)
			return
		}
		seen := map[string]bool{}
		for {
			reply := &galaxypb.DiscoverHierarchyReply{}
			if err := g.unary(ctx, "DiscoverHierarchy", request, reply); err != nil {
				yield(nil, err)
				return
			}
			for _, each := range reply.GetObjects() {
				if !yield(each, nil) {
					return
				}
			}
			token := reply.GetNextPageToken()
			if token == "" {
				return
			}
			if err := repeats(seen, "DiscoverHierarchy", token); err != nil {
				yield(nil, err)
				return
			}
			request.PageToken = token
		}
	}
}

func repeats(seen map[string]bool, rpc, token string) error {
	if seen[token] {
		return newError(KindProtocol, fmt.Sprintf("%s: the gateway repeats the page token %q, so there would be no end", rpc, token))
	}
	seen[token] = true
	return nil
}

// Discover collects Objects.
func (g *Galaxy) Discover(ctx context.Context, filter Filter) ([]*galaxypb.GalaxyObject, error) {
	var found []*galaxypb.GalaxyObject
	for each, err := range g.Objects(ctx, filter) {
		if err != nil {
			return nil, err
		}
		found = append(found, each)
	}
	return found, nil
}

// Node is one object of a tree that is read as it is looked into.
type Node struct {
	// Object is what the gateway tells of it.
	Object *galaxypb.GalaxyObject
	// HasChildrenHint tells whether it had children when its level was read.
	HasChildrenHint bool

	galaxy *Galaxy
	filter Filter

	mu        sync.Mutex
	children  []*Node
	expanded  bool
	expanding chan struct{}
}

// Expanded tells whether the children were read.
func (n *Node) Expanded() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.expanded
}

// Children are those that Expand has read.
func (n *Node) Children() []*Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.children
}

// Expand reads the children, once: concurrent calls share one request, and a failure may be tried again.
func (n *Node) Expand(ctx context.Context) ([]*Node, error) {
	for {
		n.mu.Lock()
		if n.expanded {
			defer n.mu.Unlock()
			return n.children, nil
		}
		if n.expanding == nil {
			n.expanding = make(chan struct{})
			n.mu.Unlock()
			return n.expand(ctx)
		}
		waiting := n.expanding
		n.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return nil, callerGone(ctx, "BrowseChildren", "")
		}
	}
}

func (n *Node) expand(ctx context.Context) ([]*Node, error) {
	filter := n.filter
	filter.RootID, filter.Root, filter.RootPath = n.Object.GetGobjectId(), "", ""
	children, err := n.galaxy.Browse(ctx, filter)
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.expanding)
	n.expanding = nil
	if err != nil {
		return nil, err
	}
	n.children, n.expanded = children, true
	return children, nil
}

// Browse reads the children of one object, areas first: of the filter's root, or of the Galaxy's where it names none.
func (g *Galaxy) Browse(ctx context.Context, filter Filter) ([]*Node, error) {
	discover, err := filter.request()
	if err != nil {
		return nil, err
	}
	request := &galaxypb.BrowseChildrenRequest{
		PageSize: filter.PageSize, CategoryIds: filter.CategoryIDs, TemplateChainContains: filter.TemplateChainContains,
		TagNameGlob: filter.TagNameGlob, IncludeAttributes: discover.IncludeAttributes, AlarmBearingOnly: filter.AlarmBearingOnly,
		HistorizedOnly: filter.HistorizedOnly, AttributeOrigins: filter.AttributeOrigins, IncludeAncestors: filter.IncludeAncestors,
	}
	switch {
	case filter.Root != "":
		request.Parent = &galaxypb.BrowseChildrenRequest_ParentTagName{ParentTagName: filter.Root}
	case filter.RootPath != "":
		request.Parent = &galaxypb.BrowseChildrenRequest_ParentContainedPath{ParentContainedPath: filter.RootPath}
	case filter.RootID != 0:
		request.Parent = &galaxypb.BrowseChildrenRequest_ParentGobjectId{ParentGobjectId: filter.RootID}
	}
	var nodes []*Node
	seen := map[string]bool{}
	for {
		reply := &galaxypb.BrowseChildrenReply{}
		if err := g.unary(ctx, "BrowseChildren", request, reply); err != nil {
			return nil, err
		}
		hints := reply.GetChildHasChildren()
		for index, each := range reply.GetChildren() {
			nodes = append(nodes, &Node{Object: each, HasChildrenHint: index < len(hints) && hints[index], galaxy: g, filter: filter})
		}
		token := reply.GetNextPageToken()
		if token == "" {
			return nodes, nil
		}
		if err := repeats(seen, "BrowseChildren", token); err != nil {
			return nil, err
		}
		request.PageToken = token
	}
}

// WatchDeployEvents streams the current deployment at once, then each new one. With the time of the last one that is
// known, the first is left out while it is still that one.
func (g *Galaxy) WatchDeployEvents(ctx context.Context, lastSeen *time.Time) (*Stream[*galaxypb.DeployEvent], error) {
	request := &galaxypb.WatchDeployEventsRequest{}
	if lastSeen != nil {
		request.LastSeenDeployTime = timestamppb.New(*lastSeen)
	}
	what := call{rpcCall: rpcCall{what: "WatchDeployEvents", galaxy: true}, method: galaxyService + "WatchDeployEvents"}
	return openStream(ctx, g.c, what, request, func() *galaxypb.DeployEvent { return &galaxypb.DeployEvent{} })
}

// isEnd tells whether a stream ended well.
func isEnd(err error) bool { return errors.Is(err, io.EOF) }
