//! An open server answers to its own names only, and pages of other servers change nothing.

use gwbank_server::Reach;
use gwbank_server::auth::{Credentials, Role, token_digest};

use crate::fakes::Server;

fn get(host: &str) -> String {
    format!("GET /api/v1/wells HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[test]
fn an_open_server_refuses_foreign_hosts() {
    let server = Server::open();
    for good in ["localhost:8080", "127.0.0.1", "[::1]:80"] {
        assert!(server.raw(&get(good)).starts_with("HTTP/1.1 200"), "{good}");
    }
    for bad in ["evil.example", "127.0.0.1.evil.example:8080", "10.1.2.3"] {
        let answer = server.raw(&get(bad));
        assert!(answer.starts_with("HTTP/1.1 421"), "{bad}: {answer}");
        assert!(answer.contains("/api/docs#problem-foreign-host"), "{answer}");
    }
    let no_host = server.raw("GET /api/v1/wells HTTP/1.0\r\n\r\n");
    assert!(no_host.contains(" 421 "), "{no_host}");
}

#[test]
fn a_guarded_server_answers_to_any_name() {
    let mut credentials = Credentials::new();
    credentials.add_token("t", Role::Admin, None, &token_digest("t")).unwrap();
    let server = Server::start(credentials, Reach::Loopback);
    assert!(server.raw(&get("bank.example.org")).starts_with("HTTP/1.1 401"));
}

#[test]
fn a_foreign_origin_changes_nothing() {
    let server = Server::open();
    let own = server.base.clone();
    for (origin, status) in
        [(own.as_str(), 204), ("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:1", 403)]
    {
        let reply = server.send("POST", "/api/v1/flush", &[("origin", origin)], b"");
        assert_eq!(reply.status, status, "{origin}");
        if status == 403 {
            reply.problem("foreign-origin");
        }
        assert_eq!(reply.header("access-control-allow-origin"), "");
    }
    assert_eq!(server.send("GET", "/api/v1/wells", &[("origin", "http://evil.example")], b"").status, 200);
}

#[test]
fn shutdown_ends_idle_connections_and_returns() {
    use std::io::{Read, Write};
    let server = Server::open();
    let mut idle = std::net::TcpStream::connect(server.base.trim_start_matches("http://")).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut head = [0u8; 12];
    idle.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    server.stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
}
