//! Rows 12, 18, 25, 31, 32 and 37 at the HTTP port: requests that never end, that can be read in two ways, that come from
//! a browser, or from somebody without the key.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::place::Place;

/// Nothing here waits so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

fn dial(place: &Place) -> TcpStream {
    let stream = TcpStream::connect(place.server.ready("http")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything until the server closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // It closed while something was still on its way to it.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server does not close: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// One request as it is; everything that comes back.
fn say(place: &Place, request: &[u8]) -> String {
    let mut stream = dial(place);
    // The server may refuse before it has heard everything.
    let _ = stream.write_all(request);
    rest(&mut stream)
}

fn admin_key(place: &Place) -> String {
    std::fs::read_to_string(place.folder.path().join("data/admin.key")).unwrap().trim().to_owned()
}

/// The head of an administrator's request, with more lines.
fn head(place: &Place, method: &str, path: &str, more: &str) -> String {
    let key = admin_key(place);
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n{more}\r\n")
}

/// An administrator's request with a JSON body.
fn with_body(place: &Place, method: &str, path: &str, body: &str) -> String {
    let more = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    say(place, (head(place, method, path, &more) + body).as_bytes())
}

fn status(answer: &str) -> &str {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or(answer)
}

fn apps(place: &Place) -> String {
    place.server.done(&["app", "list"], "")
}

#[test]
fn row_12_whoever_dawdles_over_http_is_cut_off_and_others_are_served() {
    let mut place = Place::with(&[("HONGYAN_API_HEAD_MS_MAX", "200"), ("HONGYAN_API_REQUEST_MS_MAX", "300")]);
    let started = Instant::now();
    let mut silent: Vec<_> = (0..20).map(|_| dial(&place)).collect();
    let mut dawdling: Vec<_> = (0..20).map(|_| dial(&place)).collect();
    for stream in &mut dawdling {
        stream.write_all(b"POST /v1/admin/apps HTTP/1.1\r\nhost: x\r\n").unwrap();
    }
    assert_eq!(status(&say(&place, head(&place, "GET", "/healthz", "").as_bytes())), "200");
    let body = head(&place, "POST", "/v1/admin/apps", "content-type: application/json\r\ncontent-length: 10\r\n") + "{";
    assert_eq!(status(&say(&place, body.as_bytes())), "408", "the body never ends");
    for stream in silent.iter_mut().chain(&mut dawdling) {
        assert!(!rest(stream).contains(" 200 "), "the head never ends");
    }
    // One who keeps the connection after an answer and says no more.
    let mut kept = dial(&place);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(status(&rest(&mut kept)), "200");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    place.is_well();
}

#[test]
fn row_18_deep_long_and_endless_requests_are_refused_at_their_limits() {
    let mut place = Place::new();
    let before = place.memory_kib();
    let deep = "[".repeat(60_000);
    for body in [deep.clone(), format!("{{\"name\":{deep}"), format!("{{\"name\":\"x\",\"settings\":{deep}")] {
        assert_eq!(status(&with_body(&place, "POST", "/v1/admin/apps", &body)), "400");
    }
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(65_536));
    assert_eq!(status(&with_body(&place, "POST", "/v1/admin/apps", &long)), "413");
    // A body that does not say how long it is.
    let endless =
        head(&place, "POST", "/v1/admin/apps", "content-type: application/json\r\ntransfer-encoding: chunked\r\n");
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let answer = say(&place, [endless.as_bytes(), chunk.repeat(64).as_bytes()].concat().as_slice());
    assert_eq!(status(&answer), "400", "{answer}");
    let huge = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    assert_eq!(status(&say(&place, huge.as_bytes())), "431");
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(500));
    assert_eq!(status(&say(&place, many.as_bytes())), "431");
    assert!(place.memory_kib().saturating_sub(before) < 8 * 1024);
    assert_eq!(apps(&place).lines().count(), 1, "nothing was made");
    place.is_well();
}

#[test]
fn row_25_administration_opens_for_its_key_only() {
    let mut place = Place::new();
    let (key, token) = (admin_key(&place), place.token("admin", "default"));
    let wrong = [
        String::new(),
        "authorization: Bearer \r\n".to_owned(),
        format!("authorization: Bearer {}\r\n", "0".repeat(64)),
        format!("authorization: Bearer {}\r\n", &key[1..]),
        format!("authorization: Bearer {key}0\r\n"),
        format!("authorization: Bearer {}\r\n", key.to_uppercase()),
        format!("authorization: Basic {key}\r\n"),
        format!("authorization: {key}\r\n"),
        format!("x-admin-key: {key}\r\n"),
        format!("cookie: key={key}\r\n"),
        // Somebody whose name is admin.
        format!("authorization: Bearer {token}\r\n"),
    ];
    let refusal = "{\"code\":\"unauthorized\"";
    for line in wrong {
        for (method, path) in
            [("GET", "/apps"), ("POST", "/apps"), ("GET", "/nothing"), ("DELETE", "/apps/default/users/x/sessions")]
        {
            let request = format!("{method} /v1/admin{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{line}\r\n");
            let answer = say(&place, request.as_bytes());
            assert!(status(&answer) == "401" && answer.contains(refusal), "{method} {path} {line}: {answer}");
        }
    }
    let in_path = format!("GET /v1/admin/apps?key={key} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&say(&place, in_path.as_bytes())), "401");
    assert_eq!(status(&say(&place, head(&place, "GET", "/v1/admin/apps", "").as_bytes())), "200");
    place.is_well();
}

#[test]
fn row_31_a_request_that_can_be_read_in_two_ways_is_not_done_in_either() {
    let mut place = Place::new();
    let key = admin_key(&place);
    let smuggled = "{\"name\":\"smuggled\"}";
    let inner = format!(
        "POST /v1/admin/apps HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{smuggled}",
        smuggled.len()
    );
    let inner_length = inner.len();
    let lines = [
        // Where does the body end? Behind it waits another request.
        "content-length: 5\r\ntransfer-encoding: chunked\r\n".to_owned(),
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n".to_owned(),
        format!("content-length: 5\r\ncontent-length: {}\r\n", 5 + inner_length),
        "transfer-encoding: xchunked\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        "transfer-encoding : chunked\r\n".to_owned(),
        "content-length: +5\r\n".to_owned(),
        "content-length: -1\r\n".to_owned(),
        "content-length: 5, 6\r\n".to_owned(),
        "content-length:\u{b}5\r\n".to_owned(),
        "x: a\r\n transfer-encoding: chunked\r\n".to_owned(),
        "x: a\0b\r\n".to_owned(),
        "host: y\r\n".to_owned(),
    ];
    for line in lines {
        // This connection would be kept for the next request.
        let outer = format!(
            "POST /v1/admin/apps HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\n{line}\r\n0\r\n\r\n"
        );
        let answer = say(&place, (outer + &inner).as_bytes());
        assert_eq!(status(&answer), "400", "{line:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{line:?}: {answer}");
        assert!(!apps(&place).contains("smuggled"), "{line:?}");
    }
    place.is_well();
}

#[test]
fn row_31_paths_hosts_and_line_ends_lead_nowhere_else() {
    let mut place = Place::new();
    for path in [
        "/../../etc/passwd",
        "/v1/admin/apps/..%2f..%2fdefault",
        "/v1/admin/apps/default%00",
        "/v1/admin/apps/default%0d%0aset-cookie:%20x=y",
        "/v1/admin/apps/default/users/%2e%2e",
        "//evil.example/",
        "/v1/admin/apps/default/users/x%20HTTP/1.1%0d%0a",
        "/healthz/../v1/admin/apps",
    ] {
        let answer = say(&place, head(&place, "GET", path, "").as_bytes());
        assert!(["400", "404"].contains(&status(&answer)), "{path}: {answer}");
        assert!(!answer.contains("set-cookie") && !answer.contains("location:"), "{path}: {answer}");
    }
    // No answer repeats the host that somebody made up.
    for request in [
        "GET /nothing HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
        "GET http://evil.example/nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nhost: x\r\nx-forwarded-host: evil.example\r\nconnection: close\r\n\r\n",
    ] {
        assert!(!say(&place, request.as_bytes()).contains("evil"), "{request}");
    }
    place.is_well();
}

#[test]
fn row_32_a_browser_that_is_led_here_gets_nothing_that_another_page_could_use() {
    let mut place = Place::new();
    let foreign = "origin: https://evil.example\r\n";
    for (method, path) in [
        ("GET", "/v1/admin/apps"),
        ("OPTIONS", "/v1/admin/apps"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/"),
    ] {
        let more = format!("{foreign}access-control-request-method: POST\r\n");
        let answer = say(&place, head(&place, method, path, &more).as_bytes());
        assert!(!answer.contains("access-control-"), "{method} {path}: {answer}");
        assert!(!answer.contains("set-cookie") && !answer.contains("\r\nlocation:"), "{method} {path}: {answer}");
        for line in [
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(line), "{method} {path}: {answer}");
        }
    }
    // What a form of another page can send without asking is no request here, even if it had the key.
    let form = "{\"name\":\"forged\"}";
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let more = format!("content-type: {kind}\r\ncontent-length: {}\r\n", form.len());
        let answer = say(&place, (head(&place, "POST", "/v1/admin/apps", &more) + form).as_bytes());
        assert_eq!(status(&answer), "400", "{kind}: {answer}");
    }
    assert!(!apps(&place).contains("forged"));
    place.is_well();
}

#[test]
fn row_37_whatever_does_not_exist_is_refused_alike_by_every_endpoint() {
    let mut place = Place::new();
    place.server.done(&["app", "create", "shop"], "");
    place.server.done(&["user", "create", "alice", "--app", "shop"], "a good password\n");
    let (password, disabled) = ("{\"password\":\"another password\"}", "{\"disabled\":true}");
    let mut answers = Vec::new();
    // There is an Alice, but not in this app; and there is no such app.
    for (app, user) in [("default", "alice"), ("default", "nobody"), ("none", "alice")] {
        let users = format!("/v1/admin/apps/{app}/users/{user}");
        for (method, path, body) in [
            ("GET", users.clone(), ""),
            ("PUT", format!("{users}/password"), password),
            ("PUT", format!("{users}/disabled"), disabled),
            ("DELETE", format!("{users}/sessions"), ""),
            ("DELETE", format!("/v1/admin/apps/{app}/keys/{user}"), ""),
        ] {
            let answer = with_body(&place, method, &path, body);
            assert_eq!(status(&answer), "404", "{method} {path}: {answer}");
            answers.push(answer.split_once("\r\n\r\n").unwrap().1.to_owned());
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let listed = with_body(&place, "GET", "/v1/admin/apps/default/users", "");
    assert!(status(&listed) == "200" && !listed.contains("alice"), "{listed}");
    let of_shop = with_body(&place, "GET", "/v1/admin/apps/shop/users/alice", "");
    assert!(of_shop.contains("\"disabled\":false"), "what was asked of others has not touched her: {of_shop}");
    place.is_well();
}
