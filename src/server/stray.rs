//! Requests that reach no method: an unknown path, a wrong verb, a protocol that is
//! not spoken. Each is counted by its address, so that nobody searches for free.

use http::header::ALLOW;
use http::{HeaderValue, Response, StatusCode};
use tonic::body::Body;

use super::gate;
use super::respond::{Manner, owner, put_standing};
use super::visit::Visit;
use crate::error::{Error, Kind, reason};
use crate::limit::Standing;
use crate::policy::{Dialect, ServiceSpec};
use crate::transcode::errors::DATA;
use crate::transcode::feathers;
use crate::transcode::router::{Found, Route};

impl Visit {
    pub(super) async fn wrong_verb(
        self,
        (verb, path): (&str, &str),
        verbs: &[&'static str],
        owner: &Route,
    ) -> Response<Body> {
        let mut allow: Vec<&str> = verbs.to_vec();
        if allow.contains(&"GET") {
            allow.push("HEAD");
        }
        let manner = Manner::of(owner.spec);
        let allow = allow.join(", ");
        let error = match manner.words.dialect {
            Dialect::Feathers => {
                let single = format!("{}/0", path.trim_end_matches('/'));
                let of_one = self.edge.routes(verb, &single);
                feathers::wrong_verb(verb, matches!(of_one, Found::Routes(_)))
            }
            Dialect::Flat | Dialect::Nested | Dialect::Envelope | Dialect::Ofrep => {
                let message = format!("Method not allowed; use {allow}");
                Error::new(Kind::Unimplemented, message).reason(reason::METHOD_NOT_ALLOWED)
            }
        };
        self.refused(manner, error, &allow).await
    }

    /// A method by name that the path has not.
    pub(super) async fn no_service_method(self, owner: &Route) -> Response<Body> {
        let manner = Manner::of(owner.spec);
        self.refused(manner, feathers::no_service_method(), "POST")
            .await
    }

    /// What calls itself gRPC and is not, or comes as gRPC cannot. It is answered as
    /// REST is: whoever sent it does not look for trailers.
    pub(super) async fn misfit(self, path: &str, error: Error) -> Response<Body> {
        let manner = match self.edge.methods.get(path) {
            Some(spec) => Manner::of(spec),
            None => Manner::of_path(self.owner(path)),
        };
        self.refused(manner, error, "POST").await
    }

    /// A refusal, which names the verbs that are allowed if it is of the verb.
    async fn refused(self, manner: Manner, error: Error, allow: &str) -> Response<Body> {
        let mut response = self.stray(manner, error).await;
        if let Ok(value) = HeaderValue::from_str(allow)
            && response.status() == StatusCode::METHOD_NOT_ALLOWED
        {
            response.headers_mut().insert(ALLOW, value);
        }
        response
    }

    pub(super) async fn not_found(self, path: &str) -> Response<Body> {
        // People begin at the root, and no client of a product does.
        let owner = self.owner(path).filter(|_| path != "/");
        let manner = Manner::of_path(owner);
        let is_near = || {
            let near = path.strip_suffix('/');
            let found = near.map(|near| self.edge.routes("GET", near));
            matches!(found, Some(Found::Routes(_) | Found::OtherVerbs(..)))
        };
        let error = Error::not_found(match manner.words.dialect {
            // Whose words are documented.
            Dialect::Feathers => manner.words.not_found(),
            _ if is_near() => "There is no such path; there is one without the slash at its end",
            _ if owner.is_none() => "There is no such path; the API reference is at /docs",
            _ => manner.words.not_found(),
        });
        let error = match manner.words.dialect {
            Dialect::Feathers => error.with(DATA, serde_json::json!({"url": path})),
            Dialect::Flat | Dialect::Nested | Dialect::Envelope | Dialect::Ofrep => error,
        };
        self.stray(manner, error).await
    }

    fn owner(&self, path: &str) -> Option<&'static ServiceSpec> {
        owner(self.shared(), path, self.note.client.hostname())
    }

    /// A gRPC method there is none of.
    pub(super) async fn no_method(self, path: &str) -> Response<Body> {
        let manner = Manner::of_path(self.owner(path));
        let error =
            Error::new(Kind::Unimplemented, "There is no such method").reason("METHOD_NOT_FOUND");
        let (standing, error) = self.count(manner, error).await;
        let mut response = manner.status(error).into_http();
        show(&mut response, manner, standing);
        response
    }

    async fn stray(&self, manner: Manner, error: Error) -> Response<Body> {
        let (standing, error) = self.count(manner, error).await;
        let mut response = manner.rest(&manner.status(error));
        show(&mut response, manner, standing);
        response
    }

    /// A request that reached no method is counted by its address.
    async fn count(&self, manner: Manner, error: Error) -> (Option<Standing>, Error) {
        gate::stray(
            self.shared(),
            &self.note.client,
            manner.words.dialect,
            error,
        )
        .await
    }
}

fn show(response: &mut Response<Body>, manner: Manner, standing: Option<Standing>) {
    if let Some(standing) = standing.filter(|_| manner.rate_headers) {
        put_standing(response.headers_mut(), standing);
    }
}
