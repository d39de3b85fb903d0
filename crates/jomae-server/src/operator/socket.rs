//! The Unix socket of a running service: HTTP/1.1, one request a connection, JSON in and out.

use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::UnixListener, sync::watch, task::JoinSet};

use super::{OperatorApi, socket_path, too_long};
use crate::exchange;

const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stop waits for requests under way.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections at a time; more wait.
const CONNECTIONS_MAX: usize = 16;

/// A socket that is there as long as it is listened on.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// Makes the socket anew; what stands there was left by a service that is no more, since this one has the store. None,
/// with a word in the log, if there can be no socket: all else works without it.
pub(crate) fn listen(data_dir: &Path) -> Option<Socket> {
    let path = socket_path(data_dir);
    let bound = match too_long(&path) {
        Some(why) => Err(why),
        None => bind(&path).map_err(|error| format!("{}: {error}", path.display())),
    };
    match bound {
        Ok(listener) => Some(Socket { listener, path }),
        Err(why) => {
            tracing::warn!("{why}; until then stop the service for `jomae account` and `jomae policy simulate`");
            None
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The directory is private already.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until the stop is asked for, and takes the socket away.
pub(crate) async fn serve(socket: Socket, api: Arc<OperatorApi>, mut shutdown: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = socket.listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
            Some(_) = connections.join_next(), if connections.len() >= CONNECTIONS_MAX => continue,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let api = Arc::clone(&api);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let api = Arc::clone(&api);
                async move { Ok::<_, Infallible>(answer(&api, request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away is none of our business.
            let _ = connection.await;
        });
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
    connections.shutdown().await;
    let _ = fs::remove_file(&socket.path);
}

async fn answer(api: &Arc<OperatorApi>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let answer = match exchange::read(request, BODY_TIMEOUT).await {
        Ok((head, body)) => api.answer(&head.method, head.uri.path(), &body).await,
        Err(refused) => refused,
    };
    answer.into_response()
}
