//! The service of files.

use futures_util::{StreamExt as _, stream};

use super::super::super::Crm;
use super::super::super::files::{self, Leave, Place};
use super::super::super::store;
use super::{ConversationFiles, number, url};
use crate::api::ConversationFileService;
use crate::api::apex::crm::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::error::{Error, Result};
use crate::server::{Call, Replies, Reply, Requests};

impl ConversationFileService for Crm {
    async fn sign_conversation_file_upload(
        &self,
        call: Call,
        request: pb::SignConversationFileUploadRequest,
    ) -> Result<Reply<pb::SignConversationFileUploadResponse>> {
        let own = call.organization()?.0;
        if request.organization_id.is_some_and(|named| named != own) {
            return Err(Error::forbidden("This organization is not the caller's"));
        }
        let place = Place::new(own, &request.file_name);
        let path = self.files().to_send(&place, &request.file_type, self.now());
        Ok(pb::SignConversationFileUploadResponse {
            signed_url: url(&call, &path),
            s3_path: place.path(),
            s3_path_without_bucket: place.key(),
        }
        .into())
    }

    async fn upload_conversation_file(
        &self,
        call: Call,
        mut requests: Requests<pb::UploadConversationFileRequest>,
    ) -> Result<Reply<pb::UploadConversationFileResponse>> {
        let mut first = requests.next().await.transpose()?.unwrap_or_default();
        let begin = first.file.take().unwrap_or_default();
        let place = Place {
            organization: first.organization_id,
            upload: first.upload,
            file_name: first.file_name,
        };
        let (kind, now) = (begin.content_type, self.now());
        let signed = (first.expires, first.signature.as_str());
        self.files()
            .check(&place, Leave::Send(&kind), signed, now)?;
        let rest = requests.map(|piece| Ok(piece?.file.unwrap_or_default().data));
        let pieces = stream::iter([Ok(begin.data)]).chain(rest);
        let most = call.spec().body_limit.unwrap_or_default();
        let taken = self
            .files()
            .receive(self.db(), (&place, &kind), pieces, (most.into(), now));
        Ok(pb::UploadConversationFileResponse {
            file_size: taken.await?,
            s3_key: place.key(),
        }
        .into())
    }

    async fn download_conversation_file(
        &self,
        call: Call,
        request: pb::DownloadConversationFileRequest,
    ) -> Result<Replies<HttpBody>> {
        let place = Place {
            organization: request.organization_id,
            upload: request.upload,
            file_name: request.file_name,
        };
        let signed = (request.expires, request.signature.as_str());
        self.files()
            .check(&place, Leave::Load, signed, self.now())?;
        let missing = || store::missing(place.key());
        let read = self.db().read(call.deadline()).await?;
        let kept = files::kept(&read, &place).await?.ok_or_else(missing)?;
        drop(read);
        let pieces = self.files().load(&kept.name).await?.ok_or_else(missing)?;
        let kind = kept.kind;
        Ok(Box::pin(pieces.map(move |piece| match piece {
            Ok(data) => Ok(HttpBody {
                content_type: kind.clone(),
                data,
                extensions: Vec::new(),
            }),
            Err(error) => Err(call.status_of(Error::internal(error))),
        })))
    }

    async fn create_conversation_file(
        &self,
        call: Call,
        request: pb::CreateConversationFileRequest,
    ) -> Result<Reply<pb::CreateConversationFileResponse>> {
        let given = request.conversation_file.unwrap_or_default();
        if given.key.is_some() {
            return Err(store::read_only("_id"));
        }
        let made = self.create::<ConversationFiles, _>(&call, vec![given], |made| {
            pb::CreateConversationFileResponse {
                conversation_file: made.into_iter().next(),
            }
        });
        let mut made = made.await?;
        if let Some(file) = &mut made.message.conversation_file {
            file.download_url = self.file_url(&call, file.s3_key.as_deref());
        }
        Ok(made)
    }

    async fn get_conversation_file(
        &self,
        call: Call,
        request: pb::GetConversationFileRequest,
    ) -> Result<Reply<pb::GetConversationFileResponse>> {
        let context = self.context(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let id = number(&read, &context, &request.id).await?;
        let find = pb::Find::default();
        let file = store::get::<ConversationFiles>(&read, &context, id, &find).await;
        let mut file = file.map_err(|error| store::named(error, &request.id))?;
        file.download_url = self.file_url(&call, file.s3_key.as_deref());
        // Without a tag: who has it already needs a URL that is good.
        Ok(pb::GetConversationFileResponse {
            conversation_file: Some(file),
        }
        .into())
    }

    async fn delete_conversation_file(
        &self,
        call: Call,
        request: pb::DeleteConversationFileRequest,
    ) -> Result<Reply<pb::DeleteConversationFileResponse>> {
        let context = self.context(&call)?;
        let if_match = call.if_match().map(str::to_owned);
        let removed = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let id = number(tx, &context, &request.id).await?;
                let asked = (&pb::Find::default(), if_match.as_deref());
                let file = store::remove::<ConversationFiles>(tx, &context, id, asked).await;
                Ok(pb::DeleteConversationFileResponse {
                    conversation_file: Some(
                        file.map_err(|error| store::named(error, &request.id))?,
                    ),
                })
            })
        });
        let removed = removed.await?;
        self.files().wake();
        Ok(removed.into())
    }
}
