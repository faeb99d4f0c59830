//! Services: what is wanted of them is written down here; the reconciler makes it so.

pub(super) mod change;
pub(super) mod deployment;
pub(super) mod domain;
pub(super) mod drive;
pub(super) mod event;
mod logs;
pub(super) mod make;
pub(super) mod record;

use super::Paas;
use super::access::Viewer;
use super::env_groups;
use crate::api::ServiceService;
use crate::api::apex::paas::v1 as pb;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

use change::Change;
use deployment::Cause;
use make::Fresh;
use record::{Row, message};

/// Entries of a log at the most, unless the caller says.
const ENTRIES: i32 = 100;

impl Paas {
    /// Why something is deployed that the caller asked for.
    pub(super) fn cause(&self, call: &Call, word: &'static str) -> Cause {
        Cause {
            word,
            actor: call.principal().user.map(|user| user.0),
            now: self.now(),
        }
    }

    /// Changes a service and answers it as it is afterwards.
    async fn change(&self, call: &Call, id: String, change: Change) -> Result<pb::Service> {
        let (paas, viewer) = (self.clone(), Viewer::of(call)?);
        // Whether there is such a service comes first, as everything that is wrong does.
        let read = self.db().read(call.deadline()).await?;
        record::find_own(&read, viewer, &id).await?;
        drop(read);
        self.engine()?;
        let cause = self.cause(call, change.word());
        let answer = self.written(call, move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &id).await?;
                change.apply(tx, paas.vault(), viewer, &own, cause).await?;
                let service = Some(message(tx, paas.front(), viewer, &id).await?);
                // On the wire it is the answer of every method that changes a service.
                Ok(pb::GetServiceResponse { service })
            })
        });
        let answer = answer.await?;
        answer.service.ok_or_else(record::not_found)
    }
}

impl ServiceService for Paas {
    async fn list_services(
        &self,
        call: Call,
        request: pb::ListServicesRequest,
    ) -> Result<Reply<pb::ListServicesResponse>> {
        let viewer = Viewer::of(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let after = match request.after.as_str() {
            "" => 0,
            id => match record::find(&read, viewer, id).await {
                Ok(found) => found.number,
                Err(_) => {
                    return Err(Error::invalid_field("after", "after is no service's id"));
                }
            },
        };
        let found = record::list(&read, viewer, after, request.limit).await?;
        let services = record::messages(&read, self.front(), viewer, &found).await?;
        Ok(pb::ListServicesResponse { services }.into())
    }

    async fn deploy(
        &self,
        call: Call,
        request: pb::DeployRequest,
    ) -> Result<Reply<pb::DeployResponse>> {
        let fresh = Fresh::of(request, self.registries())?;
        self.engine()?;
        let (paas, viewer) = (self.clone(), Viewer::of(&call)?);
        let cause = self.cause(&call, "deploy");
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let made = make::make(tx, paas.vault(), viewer, fresh, cause).await?;
                let service = Some(message(tx, paas.front(), viewer, &made.id).await?);
                Ok(pb::DeployResponse { service })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn get_service(
        &self,
        call: Call,
        request: pb::GetServiceRequest,
    ) -> Result<Reply<pb::GetServiceResponse>> {
        let viewer = Viewer::of(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let service = Some(message(&read, self.front(), viewer, &request.id).await?);
        Ok(pb::GetServiceResponse { service }.into())
    }

    async fn update_service(
        &self,
        call: Call,
        request: pb::UpdateServiceRequest,
    ) -> Result<Reply<pb::UpdateServiceResponse>> {
        let id = request.id.clone();
        let change = Change::update(request, self.registries())?;
        let service = Some(self.change(&call, id, change).await?);
        Ok(pb::UpdateServiceResponse { service }.into())
    }

    async fn redeploy_service(
        &self,
        call: Call,
        request: pb::RedeployServiceRequest,
    ) -> Result<Reply<pb::RedeployServiceResponse>> {
        let service = Some(self.change(&call, request.id, Change::Redeploy).await?);
        Ok(pb::RedeployServiceResponse { service }.into())
    }

    async fn pause_service(
        &self,
        call: Call,
        request: pb::PauseServiceRequest,
    ) -> Result<Reply<pb::PauseServiceResponse>> {
        let pause = request.pause.ok_or_else(|| {
            let words = "pause is required: true pauses the service, false resumes it";
            Error::invalid_field("pause", words)
        })?;
        let change = Change::Pause(pause);
        let service = Some(self.change(&call, request.id, change).await?);
        Ok(pb::PauseServiceResponse { service }.into())
    }

    async fn scale_service(
        &self,
        call: Call,
        request: pb::ScaleServiceRequest,
    ) -> Result<Reply<pb::ScaleServiceResponse>> {
        let change = Change::Scale(request.replicas.unwrap_or_default().into());
        let service = Some(self.change(&call, request.id, change).await?);
        Ok(pb::ScaleServiceResponse { service }.into())
    }

    async fn rollback_service(
        &self,
        call: Call,
        request: pb::RollbackServiceRequest,
    ) -> Result<Reply<pb::RollbackServiceResponse>> {
        let change = Change::RollBack(request.deployment_id);
        let service = Some(self.change(&call, request.id, change).await?);
        Ok(pb::RollbackServiceResponse { service }.into())
    }

    async fn delete_service(
        &self,
        call: Call,
        request: pb::DeleteServiceRequest,
    ) -> Result<Reply<pb::DeleteServiceResponse>> {
        let (viewer, now) = (Viewer::of(&call)?, self.now());
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &request.id).await?;
                change::delete(tx, &own, now).await?;
                Ok(pb::DeleteServiceResponse { success: true })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn list_service_events(
        &self,
        call: Call,
        request: pb::ListServiceEventsRequest,
    ) -> Result<Reply<pb::ListServiceEventsResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let own = record::find(&read, Viewer::of(&call)?, &request.id).await?;
        let most = request.limit.unwrap_or(ENTRIES);
        let events = event::list(&read, own.number, most).await?;
        Ok(pb::ListServiceEventsResponse { events }.into())
    }

    async fn list_deployments(
        &self,
        call: Call,
        request: pb::ListDeploymentsRequest,
    ) -> Result<Reply<pb::ListDeploymentsResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let own = record::find(&read, Viewer::of(&call)?, &request.id).await?;
        let most = request.limit.unwrap_or(ENTRIES);
        let deployments = deployment::list(&read, own.number, most).await?;
        Ok(pb::ListDeploymentsResponse { deployments }.into())
    }

    async fn attach_env_group(
        &self,
        call: Call,
        request: pb::AttachEnvGroupRequest,
    ) -> Result<Reply<pb::AttachEnvGroupResponse>> {
        let (paas, viewer) = (self.clone(), Viewer::of(&call)?);
        let cause = self.cause(&call, "env-group");
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &request.id).await?;
                let group = env_groups::number(tx, viewer.organization, &request.group_id).await?;
                let fresh = env_groups::attach(tx, &own, group).await?;
                let redeploying = fresh && rolls(tx, &paas, &own, cause).await?;
                Ok(pb::AttachEnvGroupResponse {
                    success: true,
                    service_id: request.id,
                    group_id: request.group_id,
                    redeploying,
                })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn detach_env_group(
        &self,
        call: Call,
        request: pb::DetachEnvGroupRequest,
    ) -> Result<Reply<pb::DetachEnvGroupResponse>> {
        let (paas, viewer) = (self.clone(), Viewer::of(&call)?);
        let cause = self.cause(&call, "env-group");
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &request.id).await?;
                let group = env_groups::number(tx, viewer.organization, &request.group_id).await?;
                env_groups::detach(tx, &own, group).await?;
                let redeploying = rolls(tx, &paas, &own, cause).await?;
                Ok(pb::DetachEnvGroupResponse {
                    success: true,
                    redeploying,
                })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn get_service_metrics(
        &self,
        call: Call,
        request: pb::GetServiceMetricsRequest,
    ) -> Result<Reply<pb::GetServiceMetricsResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let own = record::find(&read, Viewer::of(&call)?, &request.id).await?;
        drop(read);
        let used = self.engine()?.usage(own.id).await?;
        let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let replicas = used.into_iter().map(|own| pb::ReplicaMetrics {
            replica: own.replica,
            cpu_percent: own.cpu_percent,
            memory_bytes: bytes(own.memory),
            memory_limit_bytes: bytes(own.memory_limit),
        });
        let replicas = replicas.collect();
        Ok(pb::GetServiceMetricsResponse { replicas }.into())
    }

    async fn list_domains(
        &self,
        call: Call,
        request: pb::ListDomainsRequest,
    ) -> Result<Reply<pb::ListDomainsResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let own = record::find(&read, Viewer::of(&call)?, &request.id).await?;
        let domains = domain::list(&read, own.number).await?;
        Ok(pb::ListDomainsResponse { domains }.into())
    }

    async fn add_domain(
        &self,
        call: Call,
        request: pb::AddDomainRequest,
    ) -> Result<Reply<pb::AddDomainResponse>> {
        let host = domain::checked(&request.host, self.front())?;
        let (viewer, now) = (Viewer::of(&call)?, self.now());
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &request.id).await?;
                let domain = Some(domain::add(tx, &own, &host, now).await?);
                Ok(pb::AddDomainResponse { domain })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn remove_domain(
        &self,
        call: Call,
        request: pb::RemoveDomainRequest,
    ) -> Result<Reply<pb::RemoveDomainResponse>> {
        let viewer = Viewer::of(&call)?;
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = record::find_own(tx, viewer, &request.id).await?;
                domain::remove(tx, &own, &request.host).await?;
                Ok(pb::RemoveDomainResponse { success: true })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }
}

/// Rolls a service out anew; says whether that happens now.
pub(super) async fn rolls(
    tx: &crate::db::Tx,
    paas: &Paas,
    service: &Row,
    cause: Cause,
) -> Result<bool> {
    deployment::roll(tx, paas.vault(), service, cause).await?;
    Ok(service.wanted() > 0)
}
