//! The routes: what each request asks of the jobs, and what it is answered.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::config::scalar;
use super::definition::Definition;
use super::exposition;
use super::guard::admit_change;
use super::http::{Request, Response};
use super::jobs::Jobs;
use super::refusal::{Outcome, Refusal};
use super::status;
use crate::error::nearest;
use crate::types::Options;

const PAGE: &str = include_str!("page/index.html");
const OPENAPI: &str = include_str!("openapi.json");
/// What the page may load: itself. Nobody may show it in a frame.
const PAGE_POLICY: &str = "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'unsafe-inline'; \
                           script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Keys of a POST of a job.
const DEPLOY_KEYS: &[&str] = &["name", "sql", "options", "replace"];

/// Answers requests.
pub(super) struct Api {
    jobs: Arc<Jobs>,
    token: Option<String>,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'p> {
    Page,
    Health,
    Ready,
    Metrics,
    OpenApi,
    Jobs,
    Job(&'p str),
    Pause(&'p str),
    Resume(&'p str),
    Plan(&'p str),
}

impl<'p> Route<'p> {
    fn of(path: &'p str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            "/health" => Self::Health,
            "/ready" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/api/v1/openapi.json" => Self::OpenApi,
            "/api/v1/jobs" => Self::Jobs,
            _ => {
                let rest = path.strip_prefix("/api/v1/jobs/")?;
                match rest.split_once('/').unwrap_or((rest, "")) {
                    ("", _) => return None,
                    (name, "") if !rest.contains('/') => Self::Job(name),
                    (name, "pause") => Self::Pause(name),
                    (name, "resume") => Self::Resume(name),
                    (name, "plan") => Self::Plan(name),
                    _ => return None,
                }
            }
        })
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Jobs => "GET, HEAD, POST",
            Self::Job(_) => "GET, HEAD, DELETE",
            Self::Pause(_) | Self::Resume(_) => "POST",
            _ => "GET, HEAD",
        }
    }
}

impl Api {
    pub(super) fn new(jobs: Arc<Jobs>, token: Option<String>) -> Self {
        Self { jobs, token }
    }

    /// The answer to any request.
    pub(super) fn answer(&self, request: &Request) -> Response {
        let Some(route) = Route::of(&request.path) else {
            return Refusal::new(404, "no_such_path", "there is nothing here: see /api/v1/openapi.json").into();
        };
        let answered = match (request.method.as_str(), route) {
            ("GET" | "HEAD", Route::Pause(_) | Route::Resume(_)) => None,
            ("GET" | "HEAD", route) => Some(self.show(request, route)),
            ("POST", Route::Jobs) => Some(self.change(request, || self.deploy(request))),
            ("POST", Route::Pause(name)) => Some(self.change(request, || self.pause(name, true))),
            ("POST", Route::Resume(name)) => Some(self.change(request, || self.pause(name, false))),
            ("DELETE", Route::Job(name)) => Some(self.change(request, || self.stop(name))),
            _ => None,
        };
        match answered {
            Some(answered) => answered.unwrap_or_else(Response::from),
            None => {
                let message = format!("{} takes {}", request.path, route.methods());
                Response::from(Refusal::new(405, "wrong_method", message)).with("allow", route.methods())
            }
        }
    }

    fn show(&self, request: &Request, route: Route<'_>) -> Outcome<Response> {
        Ok(match route {
            Route::Page => {
                Response::new(200, "text/html; charset=utf-8", PAGE).with("content-security-policy", PAGE_POLICY)
            }
            Route::Health => Response::json(200, &json!({"status": "ok"})),
            Route::Ready if self.jobs.is_closing() => {
                return Err(Refusal::new(503, "closing", "the server is stopping"));
            }
            Route::Ready => Response::json(200, &json!({"status": "ready"})),
            Route::OpenApi => Response::new(200, "application/json", OPENAPI),
            Route::Metrics => self.metrics(request)?,
            Route::Jobs => {
                let jobs: Vec<Value> = self.jobs.all().iter().map(|job| status::summary(job)).collect();
                Response::json(200, &json!({"version": env!("CARGO_PKG_VERSION"), "jobs": jobs}))
            }
            Route::Job(name) => Response::json(200, &status::document(&*self.jobs.get(name)?)),
            Route::Plan(name) => {
                let job = self.jobs.get(name)?;
                let plan = job.lock().plan.clone();
                let plan = plan.ok_or_else(|| {
                    Refusal::new(409, "not_planned", format!("job {name} has not run since the server started"))
                })?;
                Response::json(200, &json!({"name": name, "plan": plan}))
            }
            Route::Pause(_) | Route::Resume(_) => return Err(Refusal::new(405, "wrong_method", "POST")),
        })
    }

    fn metrics(&self, request: &Request) -> Outcome<Response> {
        let text = exposition::open_metrics(&self.jobs.all());
        let text = text.map_err(|_| Refusal::new(500, "metrics", "the metrics cannot be written"))?;
        let wants_open = request.header("accept").is_some_and(|accept| accept.contains("application/openmetrics-text"));
        Ok(match wants_open {
            true => Response::new(200, exposition::OPENMETRICS, text),
            false => Response::new(200, exposition::PROMETHEUS, exposition::prometheus(&text)),
        })
    }

    /// Does what changes state, if the request may.
    fn change(&self, request: &Request, act: impl FnOnce() -> Outcome<Response>) -> Outcome<Response> {
        admit_change(request, self.token.as_deref())?;
        act()
    }

    fn deploy(&self, request: &Request) -> Outcome<Response> {
        let (definition, replace) = deployed(request)?;
        let location = format!("/api/v1/jobs/{}", definition.name);
        let job = self.jobs.deploy(definition, replace)?;
        Ok(Response::json(201, &status::summary(&job)).with("location", location))
    }

    fn pause(&self, name: &str, paused: bool) -> Outcome<Response> {
        Ok(Response::json(200, &status::summary(&*self.jobs.pause(name, paused)?)))
    }

    fn stop(&self, name: &str) -> Outcome<Response> {
        let (job, drained) = self.jobs.stop(name)?;
        Ok(Response::json(if drained { 200 } else { 202 }, &status::document(&job)))
    }
}

/// The job that a request deploys, and whether it may replace another.
fn deployed(request: &Request) -> Outcome<(Definition, bool)> {
    let json = request.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    if !json.trim().eq_ignore_ascii_case("application/json") {
        return Err(Refusal::new(415, "not_json", "send JSON: Content-Type: application/json"));
    }
    let bad = |message: String| Refusal::new(400, "bad_request", message);
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| bad(format!("not JSON: {error}")))?;
    let Value::Object(mut body) = body else { return Err(bad("expected an object with name and sql".into())) };
    if let Some(key) = body.keys().find(|key| !DEPLOY_KEYS.contains(&key.as_str())) {
        let hint = match nearest(key, DEPLOY_KEYS.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("keys are {}", DEPLOY_KEYS.join(", ")),
        };
        return Err(bad(format!("unknown key {key}: {hint}")));
    }
    let text = |body: &mut Map<String, Value>, key: &str| match body.remove(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(bad(format!("{key} is to be text"))),
        None => Err(bad(format!("{key} is missing"))),
    };
    let (name, sql) = (text(&mut body, "name")?, text(&mut body, "sql")?);
    let replace = match body.remove("replace") {
        None => false,
        Some(Value::Bool(replace)) => replace,
        Some(_) => return Err(bad("replace is to be true or false".into())),
    };
    let mut options = Options::new();
    match body.remove("options") {
        None | Some(Value::Null) => {}
        Some(Value::Object(entries)) => {
            for (key, value) in &entries {
                let value = scalar(value).ok_or_else(|| bad(format!("option {key} is to be text or a number")))?;
                options.set(key, value);
            }
        }
        Some(_) => return Err(bad("options are to be an object".into())),
    }
    Ok((Definition { name, sql, options }, replace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_routes() {
        assert_eq!(Route::of("/api/v1/jobs"), Some(Route::Jobs));
        assert_eq!(Route::of("/api/v1/jobs/a"), Some(Route::Job("a")));
        assert_eq!(Route::of("/api/v1/jobs/a/pause"), Some(Route::Pause("a")));
        assert_eq!(Route::of("/api/v1/jobs/a/plan"), Some(Route::Plan("a")));
        for nothing in
            ["", "/x", "/api/v1/jobs/", "/api/v1/jobs/a/", "/api/v1/jobs//plan", "/api/v1/jobs/a/plan/b", "//"]
        {
            assert_eq!(Route::of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_document_of_the_api_has_every_route() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let paths = document["paths"].as_object().unwrap();
        for (path, methods) in paths {
            let route = Route::of(&path.replace("{name}", "a").clone()).map(|route| route.methods());
            let route = route.unwrap_or_else(|| panic!("{path} is no route"));
            for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                assert!(route.contains(&method.to_uppercase()), "{method} {path}");
            }
        }
        assert_eq!(paths.len(), 10);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn a_deployment_is_checked() {
        let post = |body: &str| {
            let headers = vec![("content-type".to_string(), "application/json; charset=utf-8".to_string())];
            deployed(&Request { headers, body: body.into(), ..Request::default() }).map_err(|refusal| refusal.message)
        };
        let (definition, replace) = post(r#"{"name": "a", "sql": "s", "options": {"partitions": 2}}"#).unwrap();
        assert_eq!((definition.options.get("partitions"), replace), (Some("2"), false));
        assert!(post(r#"{"name": "a", "sql": "s", "replace": true}"#).unwrap().1);
        assert!(post(r#"{"nam": "a"}"#).unwrap_err().contains("did you mean name?"));
        assert!(post(r#"{"name": "a"}"#).unwrap_err().contains("sql is missing"));
        assert!(post(r#"{"name": 1, "sql": ""}"#).unwrap_err().contains("name is to be text"));
        for body in [
            "",
            "[]",
            "null",
            "{",
            r#"{"name": "a", "sql": "", "options": []}"#,
            r#"{"name":"a","sql":"","options":{"a":[]}}"#,
        ] {
            assert!(post(body).is_err(), "{body}");
        }
        assert_eq!(deployed(&Request::default()).unwrap_err().status, 415);
    }
}
