//! Methods of resources whose records are known by more than their numbers: upsert,
//! duplicates and merge. Each service declares them by `known!`.

use prost::Message;

use super::Crm;
use super::query::Asked;
use super::resource::Resource;
use super::serve::permit;
use super::store::{self, Candidate, How, Merged, Pair, Row};
use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};
use crate::server::check::check;
use crate::server::{Call, Reply};

impl Crm {
    /// Makes records, unless callers ask that what is there already is refused.
    pub(super) async fn create_new<R: Resource, O: Message + Default + Send + 'static>(
        &self,
        call: &Call,
        given: Vec<R::Record>,
        (query, refuse): (String, bool),
        wrap: fn(Vec<R::Record>) -> O,
    ) -> Result<Reply<O>> {
        let context = self.context(call)?;
        let refuse = Asked::url(query).refuses_duplicates()? || refuse;
        if refuse {
            // It would be told who is there.
            context.may_view(R::NAME)?;
        }
        let made = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                if refuse {
                    store::refuse_duplicates::<R>(tx, &context, &given).await?;
                }
                Ok(wrap(store::create::<R>(tx, &context, given).await?))
            })
        });
        Ok(made.await?.into())
    }

    pub(super) async fn upsert<R: Resource, O: Message + Default + Send + 'static>(
        &self,
        call: &Call,
        by: Option<String>,
        given: Vec<R::Record>,
        wrap: fn(Vec<Row<R::Record>>) -> O,
    ) -> Result<Reply<O>> {
        permit(call, "create", R::NAME)?;
        let context = self.context(call)?;
        let done = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let how = How {
                    by: by.as_deref().filter(|by| !by.is_empty()),
                    needs_key: true,
                    changes: true,
                };
                let checked = |row| check(&row).map(|()| row);
                let given = given.into_iter().map(checked).collect();
                Ok(wrap(store::upsert::<R>(tx, &context, how, given).await?))
            })
        });
        Ok(done.await?.into())
    }

    pub(super) async fn merge<R: Resource, O: Message + Default + Send + 'static>(
        &self,
        call: &Call,
        (target, sources, dry_run): (i64, Vec<i64>, bool),
        wrap: fn(Merged<R::Record>) -> O,
    ) -> Result<Reply<O>> {
        permit(call, "update", R::NAME)?;
        let context = self.context(call)?;
        let pair = Pair::new(target, &sources)?;
        if dry_run {
            // What it does is known once it is done; then it is undone.
            let (tell, told) = tokio::sync::oneshot::channel();
            let undone = self.db().write::<(), _>(move |tx| {
                Box::pin(async move {
                    let merged = store::merge::<R>(tx, &context, &pair).await?;
                    let _ = tell.send(merged);
                    Err(Error::internal("a dry run is undone"))
                })
            });
            let undone = undone.await;
            return match (told.await, undone) {
                (Ok(merged), _) => Ok(wrap(merged).into()),
                (Err(_), Err(error)) => Err(error),
                (Err(_), Ok(())) => Err(Error::internal("a dry run told nothing")),
            };
        }
        let merged = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move { Ok(wrap(store::merge::<R>(tx, &context, &pair).await?)) })
        });
        Ok(merged.await?.into())
    }

    /// Records that may be the same as one that is there, or as one that is described.
    pub(super) async fn duplicates<R: Resource>(
        &self,
        call: &Call,
        id: Option<i64>,
        described: R::Record,
    ) -> Result<Vec<Candidate<R::Record>>> {
        let context = self.context(call)?;
        let read = self.db().read(call.deadline()).await?;
        let one = match id {
            Some(id) => store::get::<R>(&read, &context, id, &pb::Find::default()).await?,
            None if R::KEYS.iter().all(|key| (key.of)(&described).is_none()) => {
                let known: Vec<&str> = R::KEYS.iter().map(|key| key.name).collect();
                let words = format!("Give an id, or any of {}", known.join(", "));
                return Err(Error::invalid(words));
            }
            None => described,
        };
        store::duplicates::<R>(&read, &context, &one, false).await
    }
}

/// How often each outcome is among some.
pub(super) fn count<'o>(outcomes: impl Iterator<Item = &'o pb::Outcome>) -> [i64; 4] {
    let mut counts = [0; 4];
    for outcome in outcomes {
        let at = match outcome {
            pb::Outcome::Created => 0,
            pb::Outcome::Updated => 1,
            pb::Outcome::Unchanged => 2,
            pb::Outcome::Failed | pb::Outcome::Unspecified => 3,
        };
        counts[at] += 1;
    }
    counts
}

/// What became of a row: in a word, the record, and why not.
pub(super) fn told<R>(row: Row<R>) -> (pb::Outcome, Option<R>, Vec<pb::RowError>) {
    match row {
        Row::Created(record) => (pb::Outcome::Created, Some(record), Vec::new()),
        Row::Updated { new: record, .. } => (pb::Outcome::Updated, Some(record), Vec::new()),
        Row::Unchanged(record) => (pb::Outcome::Unchanged, Some(record), Vec::new()),
        Row::Refused(error) => (pb::Outcome::Failed, None, reasons(&error)),
    }
}

/// Why a row was refused.
pub(super) fn reasons(error: &Error) -> Vec<pb::RowError> {
    let violations = error.told_violations().iter();
    let mut reasons: Vec<pb::RowError> = violations
        .map(|violation| pb::RowError {
            path: violation.field.clone(),
            message: violation.description.clone(),
        })
        .collect();
    if reasons.is_empty() {
        reasons.push(pb::RowError {
            path: String::new(),
            message: error.message().to_owned(),
        });
    }
    reasons
}

/// Declares the methods of a resource whose records are known by more than their
/// numbers.
macro_rules! known {
    (create $resource:ident: $method:ident($request:ident) -> $response:ident.$field:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let wrap = |$field| $crate::api::apex::crm::v1::$response { $field };
            let asked = (request.url_query, request.refuse_duplicates);
            self.create_new::<$resource, _>(&call, request.$field, asked, wrap)
                .await
        }
    };
    (upsert $resource:ident: $method:ident($request:ident.$rows:ident)
        -> $response:ident of $result:ident.$one:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let wrap = |rows: Vec<$crate::products::crm::store::Row<_>>| {
                let told: Vec<_> = rows
                    .into_iter()
                    .map($crate::products::crm::known::told)
                    .collect();
                let outcomes = told.iter().map(|(outcome, ..)| outcome);
                let [created_count, updated_count, unchanged_count, failed_count] =
                    $crate::products::crm::known::count(outcomes);
                let result = |(outcome, $one, errors): (_, _, _)| {
                    let outcome: $crate::api::apex::crm::v1::Outcome = outcome;
                    $crate::api::apex::crm::v1::$result {
                        outcome: outcome.into(),
                        $one,
                        errors,
                    }
                };
                $crate::api::apex::crm::v1::$response {
                    results: told.into_iter().map(result).collect(),
                    created_count,
                    updated_count,
                    unchanged_count,
                    failed_count,
                }
            };
            self.upsert::<$resource, _>(&call, request.by, request.$rows, wrap)
                .await
        }
    };
    (merge $resource:ident: $method:ident($request:ident) -> $response:ident.$one:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let wrap = |merged: $crate::products::crm::store::Merged<_>| {
                let moved = merged.moved.into_iter().map(|(resource, count)| {
                    $crate::api::apex::crm::v1::MovedRecords {
                        resource: resource.to_owned(),
                        count,
                    }
                });
                $crate::api::apex::crm::v1::$response {
                    $one: Some(merged.target),
                    moved: moved.collect(),
                    filled: merged.filled,
                    ..Default::default()
                }
            };
            let (dry_run, sources) = (request.dry_run, request.source_ids.clone());
            let asked = (request.target_id, request.source_ids, dry_run);
            let mut reply = self.merge::<$resource, _>(&call, asked, wrap).await?;
            reply.message.merged_ids = sources;
            reply.message.dry_run = dry_run;
            Ok(reply)
        }
    };
    (duplicates $resource:ident: $method:ident($request:ident.$id:ident { $($member:ident),+ })
        -> $response:ident of $result:ident.$one:ident) => {
        async fn $method(
            &self,
            call: $crate::server::Call,
            request: $crate::api::apex::crm::v1::$request,
        ) -> $crate::error::Result<$crate::server::Reply<$crate::api::apex::crm::v1::$response>> {
            let mut described =
                <<$resource as $crate::products::crm::resource::Resource>::Record>::default();
            $(described.$member = request.$member;)+
            let found = self.duplicates::<$resource>(&call, request.$id, described).await?;
            let candidate = |found: $crate::products::crm::store::Candidate<_>| {
                $crate::api::apex::crm::v1::$result {
                    $one: Some(found.record),
                    matched: found.matched.into_iter().map(str::to_owned).collect(),
                }
            };
            let data: Vec<_> = found.into_iter().map(candidate).collect();
            Ok($crate::api::apex::crm::v1::$response {
                total: data.len() as i64,
                limit: 50,
                skip: 0,
                data,
            }
            .into())
        }
    };
}
pub(super) use known;
