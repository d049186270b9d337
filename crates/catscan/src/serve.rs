//! A page on this machine where one drops a picture and moves through layers, arms and methods.
//!
//! One thread owns the networks and answers one question after the other, because libtorch keeps a
//! pool of threads for each thread that calls it. A few more listen, so that a slow upload keeps
//! nobody else waiting. Nothing of a request becomes a path: the addresses are the three below, the
//! picture is decoded in memory and forgotten.
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

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use anyhow::{Context, Result};
use serde_json::json;
use tch::Device;
use tiny_http::{Header, Method, Request, Response, Server};

use crate::refusal::Refusal;
use crate::weights::Trained;
use guard::Guard;
use question::Question;

/// Threads that listen.
const LISTENERS: usize = 4;

/// A network to ask.
pub struct Arm {
    pub name: String,
    pub trained: Trained,
    pub device: Device,
}

/// Why a request is not answered: an HTTP status and one sentence.
type Refused = (u16, String);

/// A question on its way to the thread that owns the networks, and where the answer goes.
type Asked = (Question, Sender<Result<Vec<u8>, Refused>>);

/// What the listening threads share.
struct Site {
    guard: Guard,
    page: String,
    policy: String,
    about: Vec<u8>,
    arms: usize,
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
    let server = Server::http(listen)
        .map_err(|error| Refusal::usage(format!("--listen {listen}: {error}; name another")))?;
    let address = server.server_addr().to_ip().context("the address listened at")?;
    let (page, policy) = page::page();
    let site = Arc::new(Site {
        guard: Guard::new(address, most_bytes),
        page,
        policy,
        about: answer::about(arms).to_string().into_bytes(),
        arms: arms.len(),
    });
    arms.iter().try_for_each(answer::warm_up)?;
    let (ask, asked) = channel::<Asked>();
    let server = Arc::new(server);
    for _ in 0..LISTENERS {
        let (server, site, ask) = (server.clone(), site.clone(), ask.clone());
        thread::spawn(move || {
            while let Ok(request) = server.recv() {
                site.answer(request, &ask);
            }
        });
    }
    drop(ask);
    opened(address);
    for (question, reply) in asked {
        // Whoever asked may be gone.
        let _ = reply.send(answer::answer(arms, &question));
    }
    Ok(())
}

impl Site {
    fn answer(&self, mut request: Request, ask: &Sender<Asked>) {
        let (status, kind, body) = match self.body(&mut request, ask) {
            Ok((kind, body)) => (200, kind, body),
            Err((status, error)) => {
                (status, "application/json", json!({ "error": error }).to_string().into_bytes())
            }
        };
        let mut response = Response::from_data(body).with_status_code(status);
        for (name, value) in [
            ("Content-Type", kind),
            ("Content-Security-Policy", &self.policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ] {
            response.add_header(Header::from_bytes(name, value).expect("plain ASCII"));
        }
        // A reader who left needs no answer.
        let _ = request.respond(response);
    }

    fn body(
        &self,
        request: &mut Request,
        ask: &Sender<Asked>,
    ) -> Result<(&'static str, Vec<u8>), Refused> {
        self.guard.check(request)?;
        let url = request.url().to_owned();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        match (request.method(), path) {
            (Method::Get, "/") => Ok(("text/html; charset=utf-8", self.page.clone().into_bytes())),
            (Method::Get, "/about") => Ok(("application/json", self.about.clone())),
            (Method::Post, "/explain") => {
                let mut question = Question::parse(query, self.arms)?;
                question.picture = self.guard.read(request)?;
                let (reply, answer) = channel();
                let gone = |_| (503, "the program is ending".to_owned());
                ask.send((question, reply)).map_err(|_| (503, "the program is ending".into()))?;
                Ok(("application/json", answer.recv().map_err(gone)??))
            }
            (_, "/" | "/about" | "/explain") => Err((405, "not with this method".into())),
            _ => Err((404, "nothing here; the page is at /".into())),
        }
    }
}
