package mxgateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// subscribedItems is what a subscription wants, what is there, and the commands that make one of the other. Its fields
// are guarded by the subscription's lock.
type subscribedItems struct {
	order      []string
	isWanted   map[string]bool
	failures   map[string]string
	unresolved map[string]string
	seen       map[string]bool

	server     int32
	registered bool
	empty      bool // no tag was subscribed in this session yet: then one call adds and advises
	tags       map[int32]string
	advised    map[string]int32
	unwanted   map[int32]bool

	// Where the gateway echoes numbers of ours, each item that is added has one of its own, never used again: its events
	// are known before the reply is there, and those of an item that had the handle before are not its own.
	numbering   bool
	number      uint32
	tagByNumber map[uint32]string
	numberOf    map[int32]uint32

	adding  chan struct{} // closed when the reply that names new items is there; nil while none is under way
	orphans bool

	asked, done int
	serving     bool
	todo        chan struct{}
}

func newSubscribedItems(tags []string) *subscribedItems {
	items := &subscribedItems{
		isWanted: map[string]bool{}, failures: map[string]string{}, unresolved: map[string]string{}, seen: map[string]bool{},
		tags: map[int32]string{}, advised: map[string]int32{}, unwanted: map[int32]bool{}, todo: make(chan struct{}, 1),
		tagByNumber: map[uint32]string{}, numberOf: map[int32]uint32{},
	}
	items.want(tags)
	return items
}

func (i *subscribedItems) complete() bool { return i.done == i.asked }

func (i *subscribedItems) wanted(tag string) bool { return i.isWanted[tag] }

func (i *subscribedItems) want(tags []string) {
	for _, tag := range tags {
		delete(i.failures, tag)
		if !i.isWanted[tag] {
			i.isWanted[tag] = true
			i.order = append(i.order, tag)
		}
	}
}

func (i *subscribedItems) unwant(gone map[string]bool) {
	i.order = slices.DeleteFunc(i.order, func(tag string) bool { return gone[tag] })
	for tag := range gone {
		delete(i.isWanted, tag)
		delete(i.failures, tag)
		delete(i.unresolved, tag)
		delete(i.seen, tag)
		delete(i.advised, tag)
	}
	for handle, tag := range i.tags {
		if gone[tag] {
			i.discard(handle)
		}
	}
	for number, tag := range i.tagByNumber {
		if gone[tag] {
			delete(i.tagByNumber, number)
		}
	}
}

func (i *subscribedItems) ask() int {
	i.asked++
	i.wake()
	return i.asked
}

func (i *subscribedItems) wake() {
	select {
	case i.todo <- struct{}{}:
	default:
	}
}

func (i *subscribedItems) begin(server int32, numbering bool) {
	i.server, i.registered, i.empty, i.orphans, i.done = server, true, true, false, -1
	i.numbering = numbering
	clear(i.tagByNumber)
	clear(i.numberOf)
	clear(i.tags)
	clear(i.advised)
	clear(i.unwanted)
	clear(i.failures)
	clear(i.unresolved)
	clear(i.seen)
}

func (i *subscribedItems) tagOf(event *pb.MxEvent) (string, bool) {
	if event.GetServerHandle() != i.server {
		return "", false
	}
	if number := event.GetClientHandle(); number != 0 {
		tag, known := i.tagByNumber[number]
		return tag, known
	}
	tag, known := i.tags[event.GetItemHandle()]
	return tag, known
}

// mayComeToKnow tells whether an item without a tag is to be named by a reply that is under way. One that nobody will
// name goes.
func (i *subscribedItems) mayComeToKnow(event *pb.MxEvent) bool {
	if event.GetServerHandle() != i.server || i.unwanted[event.GetItemHandle()] {
		return false
	}
	if i.adding != nil {
		return true
	}
	if _, known := i.tags[event.GetItemHandle()]; i.orphans && !known {
		i.discard(event.GetItemHandle())
	}
	return false
}

// judge notes whether a tag's value says that it has none: MXAccess takes any reference.
func (i *subscribedItems) judge(tag string, statuses []*pb.MxStatusProxy) {
	_, unresolved := i.unresolved[tag]
	if i.seen[tag] && !unresolved {
		return
	}
	i.seen[tag] = true
	var failed []string
	for _, status := range statuses {
		if IsStatusFailure(status) {
			failed = append(failed, StatusText(status))
		}
	}
	if len(failed) > 0 {
		i.unresolved[tag] = strings.Join(failed, ", ")
	} else {
		delete(i.unresolved, tag)
	}
}

func (i *subscribedItems) discard(handle int32) {
	delete(i.tags, handle)
	delete(i.tagByNumber, i.numberOf[handle])
	delete(i.numberOf, handle)
	i.unwanted[handle] = true
	i.wake()
}

func (i *subscribedItems) refuse(tag, reason string) {
	if i.isWanted[tag] {
		if reason == "" {
			reason = "refused"
		}
		i.failures[tag] = reason
	}
}

// allKnown waits for the reply that names new items, if one is under way.
func (i *subscribedItems) allKnown(ctx context.Context, x *Subscription) {
	x.mu.Lock()
	adding := i.adding
	x.mu.Unlock()
	if adding == nil {
		return
	}
	select {
	case <-adding:
	case <-ctx.Done():
	}
}

// keep carries out what is wanted, again and again, while somebody else reads the events.
func (i *subscribedItems) keep(ctx context.Context, x *Subscription) error {
	x.mu.Lock()
	i.wake()
	x.mu.Unlock()
	for {
		select {
		case <-i.todo:
		case <-ctx.Done():
			return nil
		}
		x.mu.Lock()
		asked, isFirst := i.asked, i.empty
		i.empty = false
		x.mu.Unlock()
		if err := i.removeUnwanted(ctx, x); err != nil {
			return i.unlessOver(ctx, err)
		}
		x.mu.Lock()
		var missing []string
		for _, tag := range i.order {
			_, there := i.advised[tag]
			if _, refused := i.failures[tag]; !there && !refused {
				missing = append(missing, tag)
			}
		}
		x.mu.Unlock()
		add := i.add
		if isFirst && !x.o.supervisory {
			add = i.subscribe
		}
		chunks := slices.Collect(slices.Chunk(missing, x.session.maxBulk()))
		for index, chunk := range chunks {
			if err := i.inParts(ctx, x, add, chunk); err != nil {
				return i.unlessOver(ctx, err)
			}
			if index+1 < len(chunks) {
				x.mu.Lock()
				x.itemsAddedLocked()
				x.mu.Unlock()
			}
		}
		x.mu.Lock()
		i.done = asked
		x.itemsAddedLocked()
		x.mu.Unlock()
	}
}

func (i *subscribedItems) unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type adder func(context.Context, *Subscription, []string) error

// inParts finds out by halving whose fault it is when a call is refused as a whole.
func (i *subscribedItems) inParts(ctx context.Context, x *Subscription, add adder, tags []string) error {
	err := add(ctx, x, tags)
	if err == nil || !errors.Is(err, ErrCommand) || isTransient(err) {
		return err
	}
	if len(tags) > 1 {
		half := len(tags) / 2
		return errors.Join(i.inParts(ctx, x, add, tags[:half]), i.inParts(ctx, x, add, tags[half:]))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	i.refuse(tags[0], err.Error())
	return nil
}

// subscribe adds and advises in one call; a first value may come before its reply.
func (i *subscribedItems) subscribe(ctx context.Context, x *Subscription, tags []string) error {
	x.mu.Lock()
	// A tag that was removed again while earlier ones were added.
	tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !i.isWanted[tag] })
	adding := make(chan struct{})
	i.adding = adding
	numbers := i.numbered(tags)
	x.mu.Unlock()
	results, err := x.session.SubscribeBulk(ctx, i.server, tags, ClientHandles(numbers...))
	x.mu.Lock()
	defer x.mu.Unlock()
	i.adding = nil
	close(adding)
	if err != nil {
		i.orphans = true
		i.forget(numbers)
		return err
	}
	for index, tag := range tags {
		if handle, taken := i.take(tag, numbers, index, results[index]); taken {
			i.advised[tag] = handle
		}
	}
	return nil
}

// numbered gives each tag a new number, where the gateway takes them.
func (i *subscribedItems) numbered(tags []string) []uint32 {
	if !i.numbering {
		return nil
	}
	numbers := make([]uint32, len(tags))
	for index, tag := range tags {
		i.number++
		numbers[index] = i.number
		i.tagByNumber[i.number] = tag
	}
	return numbers
}

func (i *subscribedItems) forget(numbers []uint32) {
	for _, number := range numbers {
		delete(i.tagByNumber, number)
	}
}

// take notes a new item; its handle, unless the tag was refused or is wanted no more.
func (i *subscribedItems) take(tag string, numbers []uint32, index int, result *pb.SubscribeResult) (int32, bool) {
	var number uint32
	if numbers != nil {
		number = numbers[index]
	}
	if !result.GetWasSuccessful() {
		delete(i.tagByNumber, number)
		i.refuse(tag, result.GetErrorMessage())
		return 0, false
	}
	if !i.isWanted[tag] {
		delete(i.tagByNumber, number)
		i.discard(result.GetItemHandle())
		return 0, false
	}
	i.tags[result.GetItemHandle()] = tag
	if number != 0 {
		// It may have been unwanted and wanted again meanwhile.
		i.tagByNumber[number] = tag
		i.numberOf[result.GetItemHandle()] = number
	}
	return result.GetItemHandle(), true
}

// add adds and then advises, so that each item is known before its first value.
func (i *subscribedItems) add(ctx context.Context, x *Subscription, tags []string) error {
	x.mu.Lock()
	numbers := i.numbered(tags)
	x.mu.Unlock()
	added, err := x.session.AddItemBulk(ctx, i.server, tags, ClientHandles(numbers...))
	x.mu.Lock()
	if err != nil {
		i.forget(numbers)
		x.mu.Unlock()
		return err
	}
	var handles []int32
	for index, tag := range tags {
		if handle, taken := i.take(tag, numbers, index, added[index]); taken {
			handles = append(handles, handle)
		}
	}
	x.mu.Unlock()
	refusals, err := i.advise(ctx, x, handles)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, handle := range handles {
		tag, there := i.tags[handle]
		switch reason, refused := refusals[handle]; {
		case err != nil:
			// Whether it is advised is unknown: it goes, and another one comes in its place.
			i.discard(handle)
		case !there:
		case refused:
			i.discard(handle)
			i.refuse(tag, reason)
		default:
			i.advised[tag] = handle
		}
	}
	return err
}

func (i *subscribedItems) advise(ctx context.Context, x *Subscription, handles []int32) (map[int32]string, error) {
	refusals := map[int32]string{}
	if !x.o.supervisory {
		if len(handles) == 0 {
			return refusals, nil
		}
		results, err := x.session.AdviseItemBulk(ctx, i.server, handles)
		if err != nil {
			return nil, err
		}
		for index, result := range results {
			if !result.GetWasSuccessful() {
				refusals[handles[index]] = result.GetErrorMessage()
			}
		}
		return refusals, nil
	}
	for _, handle := range handles {
		err := x.session.AdviseSupervisory(ctx, i.server, handle)
		if errors.Is(err, ErrMxAccess) {
			refusals[handle] = err.Error()
		} else if err != nil {
			return nil, err
		}
	}
	return refusals, nil
}

func (i *subscribedItems) removeUnwanted(ctx context.Context, x *Subscription) error {
	x.mu.Lock()
	handles := slices.Sorted(maps.Keys(i.unwanted))
	x.mu.Unlock()
	for chunk := range slices.Chunk(handles, x.session.maxBulk()) {
		err := i.removeItems(ctx, x, chunk)
		if err != nil && (!errors.Is(err, ErrCommand) || isTransient(err)) {
			return err
		}
		x.mu.Lock()
		for _, handle := range chunk {
			delete(i.unwanted, handle)
		}
		x.mu.Unlock()
	}
	return nil
}

func (i *subscribedItems) removeItems(ctx context.Context, x *Subscription, handles []int32) error {
	results, err := x.session.UnsubscribeBulk(ctx, i.server, handles)
	if err != nil {
		return err
	}
	var left []int32
	for index, result := range results {
		// An item that is not advised is not removed by that.
		if !result.GetWasSuccessful() {
			left = append(left, handles[index])
		}
	}
	if len(left) > 0 {
		_, err = x.session.RemoveItemBulk(ctx, i.server, left)
	}
	return err
}

// readAll is what the tags are now.
func (i *subscribedItems) readAll(ctx context.Context, x *Subscription) ([]string, map[string]*pb.BulkReadResult, error) {
	i.allKnown(ctx, x)
	x.mu.Lock()
	var tags []string
	for _, tag := range i.order {
		if _, there := i.advised[tag]; there {
			tags = append(tags, tag)
		}
	}
	x.mu.Unlock()
	found := map[string]*pb.BulkReadResult{}
	for chunk := range slices.Chunk(tags, x.session.maxBulk()) {
		results, err := x.session.ReadBulk(ctx, i.server, chunk)
		if err != nil {
			return nil, nil, err
		}
		for index, tag := range chunk {
			found[tag] = results[index]
		}
	}
	return tags, found, nil
}

// removeAll un-advises and removes the items, and unregisters.
func (i *subscribedItems) removeAll(ctx context.Context, x *Subscription) error {
	x.mu.Lock()
	for handle := range i.tags {
		i.unwanted[handle] = true
	}
	x.mu.Unlock()
	if err := i.removeUnwanted(ctx, x); err != nil {
		return err
	}
	return x.session.Unregister(ctx, i.server)
}
