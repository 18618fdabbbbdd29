//! The deployed objects of a Galaxy.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use futures_core::Stream;
use futures_util::stream::unfold;
use prost::Message;

use crate::browse::Node;
use crate::connection::{Call, Connection};
use crate::error::{Error, ErrorKind, Result};
use crate::generated::galaxy as pb;
use crate::options::ClientBuilder;
use crate::rpc_errors::Called;
use crate::stream::MessageStream;
use crate::time::MxTime;
use crate::transport::ConnectionState;

/// Reads the deployed objects of a Galaxy through a gateway. A clone is the same client.
#[derive(Clone)]
pub struct GalaxyClient {
    connection: Arc<Connection>,
}

/// Chooses objects and attributes. The default takes everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The tag name to start at; at most one of the three roots.
    pub root: String,
    /// Its number.
    pub root_id: i32,
    /// Its browse names joined by `/`.
    pub root_path: String,
    /// How many levels below the root; none for all.
    pub max_depth: Option<i32>,
    /// Narrows to categories.
    pub category_ids: Vec<i32>,
    /// Narrows by templates.
    pub template_chain_contains: Vec<String>,
    /// Narrows by tag name with `*` and `?`, without case.
    pub tag_name_glob: String,
    /// Leaves the attributes out.
    pub without_attributes: bool,
    /// Only objects with alarms.
    pub alarm_bearing_only: bool,
    /// Only objects with history.
    pub historized_only: bool,
    /// Only attributes of these origins.
    pub attribute_origins: Vec<pb::AttributeOrigin>,
    /// Also the objects above.
    pub include_ancestors: bool,
    /// How many objects travel at once; 0 for the gateway's choice.
    pub page_size: i32,
}

impl Filter {
    fn check(&self) -> Result<()> {
        let roots = usize::from(!self.root.is_empty())
            + usize::from(self.root_id != 0)
            + usize::from(!self.root_path.is_empty());
        if roots > 1 {
            return Err(Error::argument("give one of root, root_id and root_path (root, root_contained_path)"));
        }
        Ok(())
    }

    fn origins(&self) -> Vec<i32> {
        self.attribute_origins.iter().map(|origin| i32::from(*origin)).collect()
    }

    fn discover(&self) -> Result<pb::DiscoverHierarchyRequest> {
        use pb::discover_hierarchy_request::Root;
        self.check()?;
        let root = if !self.root.is_empty() {
            Some(Root::RootTagName(self.root.clone()))
        } else if self.root_id != 0 {
            Some(Root::RootGobjectId(self.root_id))
        } else if !self.root_path.is_empty() {
            Some(Root::RootContainedPath(self.root_path.clone()))
        } else {
            None
        };
        Ok(pb::DiscoverHierarchyRequest {
            page_size: self.page_size,
            page_token: String::new(),
            max_depth: self.max_depth,
            category_ids: self.category_ids.clone(),
            template_chain_contains: self.template_chain_contains.clone(),
            tag_name_glob: self.tag_name_glob.clone(),
            include_attributes: Some(!self.without_attributes),
            alarm_bearing_only: self.alarm_bearing_only,
            historized_only: self.historized_only,
            attribute_origins: self.origins(),
            include_ancestors: self.include_ancestors,
            root,
        })
    }

    fn browse(&self) -> Result<pb::BrowseChildrenRequest> {
        use pb::browse_children_request::Parent;
        self.check()?;
        let parent = if !self.root.is_empty() {
            Some(Parent::ParentTagName(self.root.clone()))
        } else if self.root_id != 0 {
            Some(Parent::ParentGobjectId(self.root_id))
        } else if !self.root_path.is_empty() {
            Some(Parent::ParentContainedPath(self.root_path.clone()))
        } else {
            None
        };
        Ok(pb::BrowseChildrenRequest {
            page_size: self.page_size,
            page_token: String::new(),
            category_ids: self.category_ids.clone(),
            template_chain_contains: self.template_chain_contains.clone(),
            tag_name_glob: self.tag_name_glob.clone(),
            include_attributes: Some(!self.without_attributes),
            alarm_bearing_only: self.alarm_bearing_only,
            historized_only: self.historized_only,
            attribute_origins: self.origins(),
            include_ancestors: self.include_ancestors,
            parent,
        })
    }
}

/// Pages of a listing, whose tokens may not repeat.
struct Pages(HashSet<String>);

impl Pages {
    /// Whether another page follows.
    fn follows(&mut self, rpc: &str, token: &str) -> Result<bool> {
        if token.is_empty() {
            return Ok(false);
        }
        if !self.0.insert(token.to_owned()) {
            let text = format!("{rpc}: the gateway repeats the page token {token:?}, so there would be no end");
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        Ok(true)
    }
}

impl GalaxyClient {
    /// Options of a client of the Galaxy service at `host:port`; make it with
    /// [`connect_galaxy`](ClientBuilder::connect_galaxy).
    pub fn builder(endpoint: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(endpoint)
    }

    pub(crate) fn of(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// Ends all calls. Idempotent.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Where the connection stands now.
    pub fn connection_state(&self) -> ConnectionState {
        self.connection.link.state()
    }

    async fn unary<Q, R>(&self, rpc: &str, path: &'static str, request: Q) -> Result<R>
    where
        Q: Message + Clone + 'static,
        R: Message + Default + 'static,
    {
        let call = Call { called: Called::of_galaxy(rpc), path, timeout: None, is_idempotent: true };
        self.connection.unary(call, request).await
    }

    /// Whether the gateway reaches the Galaxy database now.
    pub async fn test_connection(&self) -> Result<bool> {
        let path = "/galaxy_repository.v1.GalaxyRepository/TestConnection";
        let reply: pb::TestConnectionReply = self.unary("TestConnection", path, pb::TestConnectionRequest {}).await?;
        Ok(reply.ok)
    }

    /// When the Galaxy was last deployed; none when it never was.
    pub async fn last_deploy_time(&self) -> Result<Option<MxTime>> {
        let reply = self.last_deploy_time_raw().await?;
        Ok(reply.time_of_last_deploy.filter(|_| reply.present).map(MxTime::from))
    }

    /// [`last_deploy_time`](Self::last_deploy_time) with the generated message.
    pub async fn last_deploy_time_raw(&self) -> Result<pb::GetLastDeployTimeReply> {
        let path = "/galaxy_repository.v1.GalaxyRepository/GetLastDeployTime";
        self.unary("GetLastDeployTime", path, pb::GetLastDeployTimeRequest {}).await
    }

    /// One page of [`objects`](Self::objects) with the generated messages.
    pub async fn discover_raw(&self, request: pb::DiscoverHierarchyRequest) -> Result<pb::DiscoverHierarchyReply> {
        let path = "/galaxy_repository.v1.GalaxyRepository/DiscoverHierarchy";
        self.unary("DiscoverHierarchy", path, request).await
    }

    /// One page of [`browse`](Self::browse) with the generated messages.
    pub async fn browse_raw(&self, request: pb::BrowseChildrenRequest) -> Result<pb::BrowseChildrenReply> {
        let path = "/galaxy_repository.v1.GalaxyRepository/BrowseChildren";
        self.unary("BrowseChildren", path, request).await
    }

    /// The deployed objects, parents before children. The next page is asked for when the one before is used up; an
    /// error is the last thing that it gives.
    pub fn objects(&self, filter: &Filter) -> impl Stream<Item = Result<pb::GalaxyObject>> + Send + use<> {
        let listing = Listing {
            galaxy: self.clone(),
            request: filter.discover().map(Some),
            page: VecDeque::new(),
            pages: Pages(HashSet::new()),
        };
        unfold(Some(listing), |listing| async move {
            let mut listing = listing?;
            match listing.next().await {
                Ok(Some(object)) => Some((Ok(object), Some(listing))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// Collects [`objects`](Self::objects).
    pub async fn discover(&self, filter: &Filter) -> Result<Vec<pb::GalaxyObject>> {
        use futures_util::TryStreamExt;
        self.objects(filter).try_collect().await
    }

    /// The children of one object, areas first: of the filter's root, or of the Galaxy's where it names none.
    pub async fn browse(&self, filter: &Filter) -> Result<Vec<Arc<Node>>> {
        let mut request = filter.browse()?;
        let (mut nodes, mut pages) = (Vec::new(), Pages(HashSet::new()));
        loop {
            let reply = self.browse_raw(request.clone()).await?;
            let mut hints = reply.child_has_children.into_iter();
            nodes.extend(reply.children.into_iter().map(|object| {
                Arc::new(Node::new(object, hints.next().unwrap_or(false), self.clone(), filter.clone()))
            }));
            if !pages.follows("BrowseChildren", &reply.next_page_token)? {
                return Ok(nodes);
            }
            request.page_token = reply.next_page_token;
        }
    }

    /// Streams the current deployment at once, then each new one. With the time of the last one that is known, the first
    /// is left out while it is still that one.
    pub async fn watch_deploy_events(&self, last_seen: Option<MxTime>) -> Result<MessageStream<pb::DeployEvent>> {
        let request = pb::WatchDeployEventsRequest { last_seen_deploy_time: last_seen.map(Into::into) };
        let path = "/galaxy_repository.v1.GalaxyRepository/WatchDeployEvents";
        MessageStream::open(&self.connection, Called::of_galaxy("WatchDeployEvents"), path, request, None).await
    }
}

struct Listing {
    galaxy: GalaxyClient,
    request: Result<Option<pb::DiscoverHierarchyRequest>>,
    page: VecDeque<pb::GalaxyObject>,
    pages: Pages,
}

impl Listing {
    async fn next(&mut self) -> Result<Option<pb::GalaxyObject>> {
        loop {
            if let Some(object) = self.page.pop_front() {
                return Ok(Some(object));
            }
            let Some(request) = self.request.clone()? else { return Ok(None) };
            let reply = self.galaxy.discover_raw(request.clone()).await?;
            self.page = reply.objects.into();
            let follows = self.pages.follows("DiscoverHierarchy", &reply.next_page_token);
            let next = pb::DiscoverHierarchyRequest { page_token: reply.next_page_token, ..request };
            // A token that repeats is told when the objects before it are used up.
            self.request = follows.map(|follows| follows.then_some(next));
        }
    }
}

impl fmt::Debug for GalaxyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GalaxyClient").field("endpoint", &self.connection.options.endpoint).finish_non_exhaustive()
    }
}
