//! A watch, as etcd sends it.

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Status, Streaming, client::Grpc, metadata::MetadataValue};
use tonic_prost::ProstCodec;

use crate::{
    Error,
    client::failure,
    line::Line,
    proto::{WatchCommand, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse},
};

/// An open watch. Dropping it ends it.
pub struct Watch {
    commands: mpsc::Sender<WatchRequest>,
    answers: Streaming<WatchResponse>,
}

impl Watch {
    pub(crate) async fn open(
        mut grpc: Grpc<Line>,
        key: Bytes,
        end: Bytes,
        start_revision: i64,
    ) -> Result<Self, Status> {
        let (commands, sent) = mpsc::channel(4);
        let create = WatchCreateRequest { key, range_end: end, start_revision, progress_notify: true, fragment: true };
        let _ = commands.send(WatchRequest { command: Some(WatchCommand::Create(create)) }).await;
        let mut request = Request::new(boxed(sent));
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
        grpc.ready().await.map_err(|lost| Status::from_error(Box::new(lost)))?;
        let answers = grpc.streaming(request, path, ProstCodec::default()).await?.into_inner();
        Ok(Self { commands, answers })
    }

    /// The next answer. One with `fragment` set is not whole: more of the same follows. After an error the watch has
    /// ended; [`Error::Compacted`]: its revision is gone.
    pub async fn next(&mut self) -> Result<WatchResponse, Error> {
        match self.answers.message().await {
            Ok(Some(answer)) if answer.compact_revision > 0 => Err(Error::Compacted),
            Ok(Some(answer)) if answer.canceled => Err(if answer.cancel_reason.contains("permission denied") {
                Error::PermissionDenied(answer.cancel_reason)
            } else {
                Error::Unreachable(answer.cancel_reason)
            }),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Error::Unreachable("the watch was closed".to_owned())),
            Err(status) => Err(failure(&status)),
        }
    }

    /// Asks for an answer without events, to see whether anybody is there. Its revision means nothing: before 3.4.25
    /// and 3.5.8 etcd may send it ahead of events of older revisions.
    pub fn ask_for_progress(&self) {
        // A full channel has such a question in it already.
        let _ = self.commands.try_send(WatchRequest { command: Some(WatchCommand::Progress(WatchProgressRequest {})) });
    }
}

fn boxed(commands: mpsc::Receiver<WatchRequest>) -> impl Stream<Item = WatchRequest> + Send + 'static {
    ReceiverStream::new(commands)
}
