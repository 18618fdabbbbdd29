//! A tree of objects that is read as it is looked into.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::error::Result;
use crate::galaxy::{Filter, GalaxyClient};
use crate::generated::galaxy as pb;

/// One object of a tree, from [`GalaxyClient::browse`].
pub struct Node {
    /// What the gateway tells of it.
    pub object: pb::GalaxyObject,
    /// Whether it had children when its level was read.
    pub has_children_hint: bool,
    galaxy: GalaxyClient,
    filter: Filter,
    children: OnceCell<Vec<Arc<Node>>>,
}

impl Node {
    pub(crate) fn new(object: pb::GalaxyObject, has_children_hint: bool, galaxy: GalaxyClient, filter: Filter) -> Self {
        Self { object, has_children_hint, galaxy, filter, children: OnceCell::new() }
    }

    /// Whether its children were read.
    pub fn is_expanded(&self) -> bool {
        self.children.initialized()
    }

    /// The children; none before [`expand`](Self::expand).
    pub fn children(&self) -> &[Arc<Node>] {
        self.children.get().map_or(&[], Vec::as_slice)
    }

    /// Reads the children once; concurrent calls share one request, and a failure is tried again by the next call.
    pub async fn expand(&self) -> Result<&[Arc<Node>]> {
        let read = || {
            let filter = Filter {
                root: String::new(),
                root_path: String::new(),
                root_id: self.object.gobject_id,
                ..self.filter.clone()
            };
            // Boxed, because the future of a tree would hold itself.
            let reading: futures_util::future::BoxFuture<'static, _> = {
                let galaxy = self.galaxy.clone();
                Box::pin(async move { galaxy.browse(&filter).await })
            };
            reading
        };
        self.children.get_or_try_init(read).await.map(Vec::as_slice)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("tag_name", &self.object.tag_name).finish_non_exhaustive()
    }
}
