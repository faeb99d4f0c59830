//! The seven methods of a resource over its store: what they share is here, and what each
//! service is made of is declared by `serve!`.

use std::sync::Arc;

use http::HeaderValue;
use http::header::ETAG;
use prost::Message;

use super::Crm;
use super::column::Record;
use super::query::Asked;
use super::resource::{Context, Resource};
use super::store::{self, Chosen, Page};
use crate::auth::Actor;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

/// What a change is made of besides the record: which, what else it asks, and how the
/// record stands in the answer.
pub(super) struct Target<R, O> {
    pub(super) id: i64,
    pub(super) query: String,
    pub(super) wrap: fn(R) -> O,
    pub(super) unwrap: fn(&O) -> Option<&R>,
}

/// Refuses what the caller may not do with a resource that its request names.
pub(super) fn permit(call: &Call, verb: &str, resource: &str) -> Result<()> {
    let action = format!("{verb} {}", resource.replace('-', " "));
    call.directory().permit(call.principal(), &action)
}

impl Crm {
    /// For whom, by whom and when a call acts.
    pub(super) fn context(&self, call: &Call) -> Result<Context> {
        let principal = call.principal();
        let key = match &principal.actor {
            Actor::Key { id, .. } => Some(id.clone()),
            Actor::Anonymous | Actor::Session { .. } | Actor::Page | Actor::Operator => None,
        };
        Ok(Context {
            organization: call.organization()?,
            user: principal.user.map(|user| user.0),
            key,
            request: call.request_id().map(Arc::from),
            now: self.whole_now(),
            hidden: call.directory().hidden(principal),
        })
    }

    pub(super) async fn find<R: Resource>(
        &self,
        call: &Call,
        asked: Asked,
    ) -> Result<Page<R::Record>> {
        let context = self.context(call)?;
        let find = asked.read(R::TAKES)?;
        store::stock::<R>(self.db(), &context).await?;
        let read = self.db().read(call.deadline()).await?;
        store::find::<R>(&read, &context, &find).await
    }

    pub(super) async fn get<R: Resource, O>(
        &self,
        call: &Call,
        target: Target<R::Record, O>,
    ) -> Result<Reply<O>> {
        let context = self.context(call)?;
        let find = Asked::url(target.query).read(R::TAKES)?;
        store::stock::<R>(self.db(), &context).await?;
        let read = self.db().read(call.deadline()).await?;
        let record = store::get::<R>(&read, &context, target.id, &find).await?;
        Ok(tagged((target.wrap)(record), target.unwrap))
    }

    pub(super) async fn create<R: Resource, O: Message + Default + Send + 'static>(
        &self,
        call: &Call,
        given: Vec<R::Record>,
        wrap: fn(Vec<R::Record>) -> O,
    ) -> Result<Reply<O>> {
        let context = self.context(call)?;
        let made = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move { Ok(wrap(store::create::<R>(tx, &context, given).await?)) })
        });
        Ok(made.await?.into())
    }

    pub(super) async fn update<R: Resource, O: Message + Default + Send + 'static>(
        &self,
        call: &Call,
        given: (Option<R::Record>, Chosen),
        target: Target<R::Record, O>,
    ) -> Result<Reply<O>> {
        let context = self.context(call)?;
        let find = Asked::url(target.query).read(R::TAKES)?;
        let if_match = call.if_match().map(str::to_owned);
        let given = (given.0.unwrap_or_default(), given.1);
        let (id, wrap) = (target.id, target.wrap);
        let changed = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let asked = (&find, if_match.as_deref());
                let record = store::update::<R>(tx, &context, id, given, asked).await?;
                Ok(wrap(record))
            })
        });
        Ok(tagged(changed.await?, target.unwrap))
    }

    pub(super) async fn remove<R: Resource, O: Message + Default + Send + 'static>(
        &self,
        call: &Call,
        target: Target<R::Record, O>,
    ) -> Result<Reply<O>> {
        let context = self.context(call)?;
        let find = Asked::url(target.query).read(R::TAKES)?;
        let if_match = call.if_match().map(str::to_owned);
        let (id, wrap) = (target.id, target.wrap);
        let removed = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let asked = (&find, if_match.as_deref());
                Ok(wrap(store::remove::<R>(tx, &context, id, asked).await?))
            })
        });
        Ok(removed.await?.into())
    }

    pub(super) async fn restore<R: Resource, O: Message + Default + Send + 'static>(
        &self,
        call: &Call,
        target: Target<R::Record, O>,
    ) -> Result<Reply<O>> {
        let context = self.context(call)?;
        let (id, wrap) = (target.id, target.wrap);
        if id == 0 {
            return Err(Error::invalid_field("id", "id is required"));
        }
        let restored = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move { Ok(wrap(store::restore::<R>(tx, &context, id).await?)) })
        });
        Ok(tagged(restored.await?, target.unwrap))
    }
}

/// An answer with the tag of its record.
pub(super) fn tagged<R: Record, O>(answer: O, unwrap: fn(&O) -> Option<&R>) -> Reply<O> {
    let tag = unwrap(&answer).and_then(|record| HeaderValue::from_str(&store::etag(record)).ok());
    let reply = Reply::from(answer);
    match tag {
        Some(tag) => reply.header(ETAG, tag),
        None => reply,
    }
}

/// Declares one method of a resource's service.
macro_rules! serve {
    (list $resource:ident: $method:ident($request:ident) -> $response:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let asked = $crate::products::crm::query::Asked {
                url: request.url_query,
                json: request.query,
                find: request.find,
            };
            let page = self.find::<$resource>(&call, asked).await?;
            Ok($crate::api::apex::crm::v1::$response {
                total: page.total,
                limit: page.limit,
                skip: page.skip,
                data: page.data,
            }
            .into())
        }
    };
    (get $resource:ident: $method:ident($request:ident) -> $response:ident.$field:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let target = serve!(target request, $response.$field);
            self.get::<$resource, _>(&call, target).await
        }
    };
    (create $resource:ident: $method:ident($request:ident) -> $response:ident.$field:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let wrap = |$field| $crate::api::apex::crm::v1::$response { $field };
            self.create::<$resource, _>(&call, request.$field, wrap).await
        }
    };
    (update $resource:ident: $method:ident($request:ident) -> $response:ident.$field:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let names = request.update_mask.clone().unwrap_or_default().paths;
            let chosen = $crate::products::crm::store::Chosen::Members(names);
            let given = (request.$field.clone(), chosen);
            let target = serve!(target request, $response.$field);
            self.update::<$resource, _>(&call, given, target).await
        }
    };
    (replace $resource:ident: $method:ident($request:ident) -> $response:ident.$field:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let chosen = $crate::products::crm::store::Chosen::Everything;
            let given = (request.$field.clone(), chosen);
            let target = serve!(target request, $response.$field);
            self.update::<$resource, _>(&call, given, target).await
        }
    };
    (delete $resource:ident: $method:ident($request:ident) -> $response:ident.$field:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let target = serve!(target request, $response.$field);
            self.remove::<$resource, _>(&call, target).await
        }
    };
    (restore $resource:ident: $method:ident($request:ident) -> $response:ident.$field:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let target = serve!(target request.id, String::new(), $response.$field);
            self.restore::<$resource, _>(&call, target).await
        }
    };
    (target $request:ident, $response:ident.$field:ident) => {
        serve!(target $request.id, $request.url_query, $response.$field)
    };
    (target $id:expr, $query:expr, $response:ident.$field:ident) => {
        $crate::products::crm::serve::Target {
            id: $id,
            query: $query,
            wrap: |record| $crate::api::apex::crm::v1::$response {
                $field: Some(record),
            },
            unwrap: |answer: &$crate::api::apex::crm::v1::$response| answer.$field.as_ref(),
        }
    };
}
pub(super) use serve;
