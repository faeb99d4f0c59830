//! A server of whatever services a set of descriptors holds.

use std::sync::Arc;

use prost_reflect::DescriptorPool;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::echo;
use super::endpoint::{Dynamic, Handler};
use crate::app;
use crate::clock::Clock;
use crate::config::Layers;
use crate::error::{Error, Result};
use crate::policy::MethodSpec;
use crate::policy::read::Reader;
use crate::server::dispatch::{Endpoint, GrpcService};
use crate::server::listener::{self, Listener};
use crate::server::{Edge, Shared, Stack, stack};
use crate::transcode::schema::Schema;

/// A server of services that are known only at run time, on a database of its
/// own. What it learns lives as long as the process.
pub struct Host {
    stack: Stack,
    shared: Arc<Shared>,
    _folder: TempDir,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Host {
    /// Serves an encoded `FileDescriptorSet` that carries our options, which are
    /// demanded as the product's build demands them.
    pub async fn open(descriptors: &[u8], handler: Handler) -> Result<Self> {
        let pool = DescriptorPool::decode(descriptors).map_err(Error::internal)?;
        let config = Layers::new().and_then(|layers| layers.build());
        let config = config.map_err(Error::internal)?;
        let groups: Vec<&str> = config.limits.keys().map(String::as_str).collect();
        let reader = Reader {
            rate_groups: &groups,
            ..Reader::default()
        };
        let methods = read(&reader, &pool)?.leak();
        Self::answering(&pool, methods, handler).await
    }

    /// Serves the one service of an encoded `FileDescriptorSet` of other people's by a
    /// server that is made for its methods, all of them public.
    pub async fn foreign(
        descriptors: &[u8],
        server: impl FnOnce(&'static [MethodSpec]) -> GrpcService,
    ) -> Result<Self> {
        let pool = DescriptorPool::decode(descriptors).map_err(Error::internal)?;
        let reader = Reader {
            lenient: true,
            ..Reader::default()
        };
        let methods = read(&reader, &pool)?.leak();
        let schema = Box::leak(Box::new(Schema::new(&pool)));
        let foreign = Some((methods[0].service.name, server(methods)));
        Self::new(&pool, (schema, methods), Vec::new(), foreign).await
    }

    /// Serves any encoded `FileDescriptorSet`: every method is public, its JSON
    /// canonical, and REST answers what was understood of the request.
    pub async fn echo(descriptors: &[u8]) -> Result<Self> {
        let mut pool = DescriptorPool::decode(descriptors).map_err(Error::internal)?;
        echo::add_http_body(&mut pool)?;
        let reader = Reader {
            lenient: true,
            ..Reader::default()
        };
        let declared = read(&reader, &pool)?.leak();
        let methods = echo::answering_http_bodies(declared).leak();
        let handler = echo::handler(Schema::new(&pool), declared);
        Self::answering(&pool, methods, handler).await
    }

    async fn answering(
        pool: &DescriptorPool,
        methods: &'static [MethodSpec],
        handler: Handler,
    ) -> Result<Self> {
        let mut services: Vec<&str> = methods.iter().map(|spec| spec.service.name).collect();
        services.dedup();
        let schema: &'static Schema = Box::leak(Box::new(Schema::new(pool)));
        let endpoint = |name| -> Arc<dyn Endpoint> {
            Arc::new(Dynamic::new(name, methods, schema, handler.clone()))
        };
        let endpoints = services.into_iter().map(endpoint).collect();
        Self::new(pool, (schema, methods), endpoints, None).await
    }

    async fn new(
        pool: &DescriptorPool,
        (schema, methods): (&'static Schema, &'static [MethodSpec]),
        endpoints: Vec<Arc<dyn Endpoint>>,
        foreign: Option<(&'static str, GrpcService)>,
    ) -> Result<Self> {
        let folder = TempDir::new().map_err(Error::internal)?;
        let directory = folder.path().display().to_string();
        let config = Layers::new()
            .and_then(|layers| layers.flag("data_dir", Some(&directory))?.build())
            .map_err(Error::internal)?;
        let opened = app::shared(&config, Clock::system(), &[]).await;
        let shared = Arc::new(opened.map_err(Error::internal)?);
        let mut edge = Edge::new(shared.clone(), schema, methods, endpoints);
        if let Some((name, server)) = foreign {
            edge.mount(name, server);
        }
        let pool = pool.clone();
        app::mount_reflection(&mut edge, Box::new(move || pool));
        Ok(Self {
            stack: stack(Arc::new(edge)),
            shared,
            _folder: folder,
        })
    }

    /// What its requests share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Serves until `stop` turns true.
    pub async fn serve(&self, tcp: TcpListener, stop: watch::Receiver<bool>) {
        let listener = Listener {
            tcp,
            tls: None,
            operator: None,
        };
        listener::serve(listener, self.stack.clone(), self.shared.clone(), stop).await;
    }
}

fn read(reader: &Reader<'_>, pool: &DescriptorPool) -> Result<Vec<MethodSpec>> {
    let methods = reader.read(pool);
    methods.map_err(|faults| Error::internal(faults.join("\n")))
}
