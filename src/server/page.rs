//! Requests of web pages, which name a project by its public key. The key is no
//! secret: it says where events go, and opens nothing else. It stands inside the
//! request, so the caller is known only once the request has been read; until
//! then the gate counts its address.

use super::call::Call;
use super::gate;
use crate::auth::{Actor, Principal};
use crate::error::{Error, Result};
use crate::limit::Subject;

/// Finds out for which project a page calls, whether it may, and counts it.
/// `field` is the JSON name of the member the key stood in.
pub async fn identify(call: &Call, field: &'static str, key: &str) -> Result<()> {
    let shared = call.shared();
    let unknown = || Error::invalid_field(field, format!("{field} is not known"));
    let project = shared.directory.project_key(key)?.ok_or_else(unknown)?;
    if let Some(origin) = &call.client().origin
        && !project.allows(origin.to_str().unwrap_or_default())
    {
        let error = Error::forbidden("The project does not allow this origin");
        return Err(error.reason("ORIGIN_NOT_ALLOWED"));
    }
    call.set_page(Principal {
        actor: Actor::Page,
        organization: Some(project.organization),
        project: Some(project.id),
        ..Principal::anonymous()
    });
    let spec = call.spec();
    let caller = Subject::Caller(call.principal(), call.client().address);
    let standing = shared.limits.take(spec.rate_group, caller).await;
    gate::within(shared, spec.rate_group, standing, spec.dialect)
}
