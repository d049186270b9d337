//! A page on this machine where one drops a picture and moves through layers, arms and methods.
//!
//! One thread owns the networks and answers one question after the other, because libtorch keeps
//! a pool of threads for each thread that calls it. Another listens to everybody at once, so that
//! a slow upload keeps nobody else waiting. Few questions wait at a time, the rest are sent away;
//! one whose asker has gone is not answered. Nothing of a request becomes a path: the addresses are
//! the three below, the picture is decoded in memory and forgotten.
//!
//! | address | answer |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /about` | arms and methods, JSON |
//! | `POST /explain?arm=0&method=grad-cam` | the body's picture as the arm sees it, JSON |

mod answer;
mod guard;
mod page;
mod question;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tch::Device;
use tokio::sync::oneshot;

use crate::refusal::Refusal;
use crate::weights::Trained;
use guard::Guard;
use question::Question;

/// Questions that wait for the one that is being answered. More would wait for minutes, and each
/// holds a picture.
const WAITING: usize = 8;

/// A network to ask.
pub struct Arm {
    pub name: String,
    pub trained: Trained,
    pub device: Device,
}

/// Why a request is not answered: an HTTP status and one sentence.
type Refused = (u16, String);

/// A question on its way to the thread that owns the networks, and where the answer goes.
type Asked = (Question, oneshot::Sender<Result<Vec<u8>, Refused>>);

/// What the listening thread knows.
struct Site {
    guard: Guard,
    page: String,
    policy: HeaderValue,
    about: Vec<u8>,
    arms: usize,
    ask: SyncSender<Asked>,
}

/// Answers until the process ends. `opened` is told the page's address once questions are taken.
///
/// # Errors
/// An address that cannot be listened at.
pub fn serve(
    arms: &[Arm],
    listen: SocketAddr,
    most_bytes: u64,
    opened: impl FnOnce(SocketAddr),
) -> Result<()> {
    let listener = TcpListener::bind(listen)
        .map_err(|error| Refusal::usage(format!("--listen {listen}: {error}; name another")))?;
    let address = listener.local_addr().context("the address listened at")?;
    let (page, policy) = page::page();
    let costs = arms.iter().map(answer::warm_up).collect::<Result<Vec<_>>>()?;
    let (ask, asked) = sync_channel::<Asked>(WAITING);
    let site = Site {
        guard: Guard::new(address, most_bytes),
        page,
        policy: HeaderValue::from_str(&policy).context("a policy is plain ASCII")?,
        about: answer::about(arms, &costs).to_string().into_bytes(),
        arms: arms.len(),
        ask,
    };
    let listening = answering(listener, Arc::new(site)).context("beginning to listen")?;
    opened(address);
    answer_all(&asked, |question| answer::answer(arms, question));
    let ended = listening.join().map_err(|_| anyhow!("the thread that listens broke off"))?;
    ended.context("listening")
}

/// Answers one question after the other, but for those whose asker has gone, until nobody can ask.
fn answer_all(
    asked: &Receiver<Asked>,
    mut answer: impl FnMut(&Question) -> Result<Vec<u8>, Refused>,
) {
    for (question, reply) in asked {
        if !reply.is_closed() {
            // Whoever asked may go meanwhile.
            let _ = reply.send(answer(&question));
        }
    }
}

/// A thread that answers everybody.
fn answering(listener: TcpListener, site: Arc<Site>) -> io::Result<JoinHandle<io::Result<()>>> {
    let routes = Router::new()
        .route("/", get(async |State(site): State<Arc<Site>>| Html(site.page.clone())))
        .route("/about", get(async |State(site): State<Arc<Site>>| json(site.about.clone())))
        .route("/explain", post(explain))
        .method_not_allowed_fallback(async || refused((405, "not with this method".into())))
        .fallback(async || refused((404, "nothing here; the page is at /".into())))
        .layer(from_fn_with_state(site.clone(), guarded))
        .with_state(site);
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(thread::spawn(move || {
        runtime.block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener)?, routes).await
        })
    }))
}

/// Lets nobody in but our own page, and says with every answer what a browser may do with it.
async fn guarded(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match site.guard.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => refused(why),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, site.policy.clone());
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn explain(State(site): State<Arc<Site>>, request: Request) -> Response {
    site.explain(request).await.map_or_else(refused, json)
}

impl Site {
    async fn explain(&self, request: Request) -> Result<Vec<u8>, Refused> {
        let mut question = Question::parse(request.uri(), self.arms)?;
        question.picture = self.guard.read(request.into_body()).await?;
        let (reply, answer) = oneshot::channel();
        let ending = || (503, "the program is ending".to_owned());
        self.ask.try_send((question, reply)).map_err(|error| match error {
            TrySendError::Full(_) => busy(&format!("{WAITING} questions wait already")),
            TrySendError::Disconnected(_) => ending(),
        })?;
        answer.await.map_err(|_| ending())?
    }
}

/// Sends somebody away for now.
fn busy(why: &str) -> Refused {
    (503, format!("busy: {why}; ask again in a moment"))
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn refused((status, error): Refused) -> Response {
    let status = StatusCode::from_u16(status).expect("one of HTTP's");
    (status, json(json!({ "error": error }).to_string().into_bytes())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_gone_is_not_answered() {
        let (ask, asked) = sync_channel::<Asked>(WAITING);
        let mut waiting = Vec::new();
        for arm in 0..3 {
            let uri = format!("/?arm={arm}&method=grad-cam").parse().unwrap();
            let question = Question::parse(&uri, 3).ok().unwrap();
            let (reply, answer) = oneshot::channel();
            ask.try_send((question, reply)).ok().unwrap();
            waiting.push(answer);
        }
        drop(waiting.remove(1));
        drop(ask);
        let mut answered = Vec::new();
        answer_all(&asked, |question| {
            answered.push(question.arm);
            Ok(Vec::new())
        });
        assert_eq!(answered, [0, 2]);
    }
}
