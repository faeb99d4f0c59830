//! What the platform holds: services and their deployments, groups, teams, databases.

mod objects;

use super::{Entry, Table};
pub(super) use objects::owned;
use objects::{
    BACKUP, DATABASE, DEPLOYMENT, DOMAIN, GROUP, INVITATION, PERSON, SERVICE, TEAM, TEAMMATE, TOKEN,
};

const A_NAME: &str = "the name of a variable";

pub(super) const TABLE: Table = Table {
    product: "paas",
    entries: &[
        Entry {
            method: "apex.paas.v1.TokenService/RevokeToken",
            field: "id",
            object: &TOKEN,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/Deploy",
            field: "team_id",
            object: &TEAM,
            request: r#"{"name": "$word", "image": "nginx", "teamId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/GetService",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/UpdateService",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "image": "taken"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/RedeployService",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/PauseService",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "pause": true}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/ScaleService",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "replicas": 3}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/DeleteService",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/ListServiceEvents",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/ListDeployments",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/RollbackService",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "deploymentId": "$deployment"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/RollbackService",
            field: "deployment_id",
            object: &DEPLOYMENT,
            request: r#"{"id": "$its_service", "deploymentId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/AttachEnvGroup",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "groupId": "$own_group"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/AttachEnvGroup",
            field: "group_id",
            object: &GROUP,
            request: r#"{"id": "$own_service", "groupId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/DetachEnvGroup",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "groupId": "$group"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/DetachEnvGroup",
            field: "group_id",
            object: &GROUP,
            request: r#"{"id": "$service", "groupId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.LogService/GetServiceLogs",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.LogService/GetServiceLogText",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.LogService/WatchServiceLogs",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.EnvGroupService/GetEnvGroup",
            field: "id",
            object: &GROUP,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.EnvGroupService/UpdateEnvGroup",
            field: "id",
            object: &GROUP,
            request: r#"{"id": "$id", "name": "$word"}"#,
        },
        Entry {
            method: "apex.paas.v1.EnvGroupService/DeleteEnvGroup",
            field: "id",
            object: &GROUP,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/DeleteTeam",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/ListTeamMembers",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/AddTeamMember",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id", "userId": "$outsider"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/AddTeamMember",
            field: "user_id",
            object: &PERSON,
            request: r#"{"id": "$own_team", "userId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/UpdateTeamMember",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id", "userId": "$member", "role": "admin"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/UpdateTeamMember",
            field: "user_id",
            object: &TEAMMATE,
            request: r#"{"id": "$its_team", "userId": "$id", "role": "admin"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/RemoveTeamMember",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id", "userId": "$member"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/RemoveTeamMember",
            field: "user_id",
            object: &TEAMMATE,
            request: r#"{"id": "$its_team", "userId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/CreateInvitation",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id", "email": "friend@example.com"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/ListInvitations",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/DeleteInvitation",
            field: "id",
            object: &TEAM,
            request: r#"{"id": "$id", "invitationId": "$invitation"}"#,
        },
        Entry {
            method: "apex.paas.v1.TeamService/DeleteInvitation",
            field: "invitation_id",
            object: &INVITATION,
            request: r#"{"id": "$its_team", "invitationId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/GetDatabase",
            field: "id",
            object: &DATABASE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/DeleteDatabase",
            field: "id",
            object: &DATABASE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.SourceService/GetSource",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.SourceService/BindSource",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "repository": "octocat/taken"}"#,
        },
        Entry {
            method: "apex.paas.v1.SourceService/UnbindSource",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/GetServiceMetrics",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/ListDomains",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/AddDomain",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "host": "taken.example.com"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/RemoveDomain",
            field: "id",
            object: &SERVICE,
            request: r#"{"id": "$id", "host": "$host"}"#,
        },
        Entry {
            method: "apex.paas.v1.ServiceService/RemoveDomain",
            field: "host",
            object: &DOMAIN,
            request: r#"{"id": "$its_service", "host": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/CreateBackup",
            field: "id",
            object: &DATABASE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/ListBackups",
            field: "id",
            object: &DATABASE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/DeleteBackup",
            field: "id",
            object: &DATABASE,
            request: r#"{"id": "$id", "backupId": "$backup"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/DeleteBackup",
            field: "backup_id",
            object: &BACKUP,
            request: r#"{"id": "$its_database", "backupId": "$id"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/RestoreDatabase",
            field: "id",
            object: &DATABASE,
            request: r#"{"id": "$id", "backupId": "$backup"}"#,
        },
        Entry {
            method: "apex.paas.v1.DatabaseService/RestoreDatabase",
            field: "backup_id",
            object: &BACKUP,
            request: r#"{"id": "$its_database", "backupId": "$id"}"#,
        },
    ],
    exempt: &[
        (
            "apex.paas.v1.TeamService/AcceptInvitation",
            "token",
            "a secret: who has it and is not whom it was sent to is told of none",
        ),
        (
            "apex.paas.v1.EnvGroupService/CreateEnvGroup",
            "variables.key",
            A_NAME,
        ),
        (
            "apex.paas.v1.EnvGroupService/UpdateEnvGroup",
            "variables.key",
            A_NAME,
        ),
        ("apex.paas.v1.ServiceService/Deploy", "env.key", A_NAME),
        (
            "apex.paas.v1.ServiceService/UpdateService",
            "env.key",
            A_NAME,
        ),
    ],
    on_projects: &[],
};
