//! Offices, links, LINE and CAP over HTTP.

use std::io::{Read, Write};

use base64::Engine;
use gwbank_model::Timestamp;
use gwbank_notice::LinkTicket;
use gwbank_registry::office::{Channel, Contact, Office, OfficeLevel, Offices};
use gwbank_store::{FlagAction, Metadata};
use serde_json::json;

use crate::fakes::{LINE_SECRET, Reply, Server, now};

const CSV: (&str, &str) = ("content-type", "text/csv");
const OFFICES: &str = "office_id,level,place_code,office_name,office_name_th,contact_id,channel,address,secret\n\
    korat,province,30,Korat,โคราช,mail,email,a@example.org,\n\
    korat,province,30,Korat,โคราช,line,line,,\n\
    korat,province,30,Korat,โคราช,hook,webhook,https://example.org,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn with_offices() -> Server {
    let server = Server::open();
    let reply = server.send("PUT", "/api/v1/offices", &[CSV], OFFICES.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    server
}

#[test]
fn offices_are_applied_whole_and_shown_without_secrets() {
    let server = with_offices();
    let again = server.send("PUT", "/api/v1/offices", &[CSV], OFFICES.as_bytes()).json();
    assert_eq!(again["rows"], 3);
    assert!(again["warnings"].to_string().contains("not linked"), "{again}");
    let list = server.get("/api/v1/offices");
    assert!(!list.text().contains("whsec_"), "{}", list.text());
    assert_eq!(list.json()["items"][0]["contacts"].as_array().unwrap().len(), 3);
    let csv = server.send("GET", "/api/v1/offices", &[("accept", "text/csv")], &[]);
    assert!(csv.text().contains("whsec_MfKQ"), "an export is fit to be imported");

    let faulty = OFFICES.replace("a@example.org", "nobody").replace("Korat,โคราช,line", "Korat,ที่อื่น,line");
    let refused = server.send("PUT", "/api/v1/offices", &[CSV], faulty.as_bytes());
    let problem = refused.problem("invalid-rows");
    let lines: Vec<_> = problem["faults"].as_array().unwrap().iter().map(|fault| fault["line"].clone()).collect();
    assert_eq!(lines, [2, 3]);
    let nobody = OFFICES.lines().next().unwrap().to_owned() + "\n";
    server.send("PUT", "/api/v1/offices?replace=true", &[CSV], nobody.as_bytes()).problem("invalid-rows");
    let one = "office_id,level,office_name\nother,national,Other\n";
    let replaced = server.send("PUT", "/api/v1/offices?replace=true", &[CSV], one.as_bytes());
    assert_eq!(replaced.status, 200);
    assert!(replaced.text().contains("3 contacts are no more"), "{}", replaced.text());
    assert_eq!(server.get("/api/v1/offices").json()["total"], 1);
}

/// Friends, as LINE names them.
const U1: &str = "U00000000000000000000000000000001";
const U2: &str = "U00000000000000000000000000000002";

fn signed(server: &Server, events: serde_json::Value) -> Reply {
    let body = json!({ "destination": "U", "events": events }).to_string();
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, LINE_SECRET.as_bytes()), body.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(tag.as_ref());
    server.send("POST", "/hooks/line", &[("x-line-signature", &signature)], body.as_bytes())
}

#[test]
fn a_friend_of_line_is_linked_once_and_answers() {
    let server = with_offices();
    server.send("POST", "/api/v1/contacts/mail/invite", &[], &[]).problem("conflict");
    server.send("POST", "/api/v1/contacts/none/invite", &[], &[]).problem("unknown-contact");
    let invite = server.send("POST", "/api/v1/contacts/line/invite", &[], &[]).json();
    let code = invite["code"].as_str().unwrap().to_owned();

    let says = |user: &str, text: &str| {
        json!([{ "type": "message", "replyToken": format!("r-{user}"), "source": { "type": "user", "userId": user },
            "message": { "type": "text", "text": text } }])
    };
    let unsigned = server.send("POST", "/hooks/line", &[("x-line-signature", "x")], b"{\"events\":[]}");
    unsigned.problem("unauthenticated");
    assert_eq!(signed(&server, says(U1, "รับทราบ")).status, 200, "of nobody that is linked");
    assert_eq!(signed(&server, says(U1, "สวัสดีครับ")).status, 200);
    assert!(server.line.0.lock().is_empty(), "people talk");
    assert_eq!(signed(&server, says("Uabc", &code)).status, 200, "no friend of LINE");
    assert_eq!(server.get("/api/v1/offices").status, 200);
    assert_eq!(signed(&server, says(U1, &code.to_lowercase())).status, 200);
    let linked = |server: &Server| {
        let offices = block_on(server.metadata.offices(None)).unwrap().offices;
        offices.contacts["line"].clone()
    };
    assert_eq!(linked(&server).address.as_deref(), Some(U1));
    assert!(server.line.0.lock()[0].1.contains("โคราช"));
    assert_eq!(signed(&server, says(U2, &code)).status, 200);
    assert_eq!(linked(&server).address.as_deref(), Some(U1), "once");

    let postback = json!([{ "type": "postback", "replyToken": "r", "source": { "type": "user", "userId": U1 },
        "postback": { "data": "acknowledge=drought-1" } }]);
    assert_eq!(signed(&server, postback.clone()).status, 200);
    let flag = server.get("/api/v1/flags/drought-1").json();
    assert_eq!((&flag["acknowledged_by"], &flag["actions"][0]["via"]), (&json!("line"), &json!("line")));
    assert!(server.line.0.lock().last().unwrap().1.starts_with("รับทราบแล้ว"));

    let leaves = json!([{ "type": "unfollow", "timestamp": 1_000, "source": { "type": "user", "userId": U1 } }]);
    assert_eq!(signed(&server, leaves.clone()).status, 200);
    assert_eq!(linked(&server).unreachable_since, Some(now()));
    let comes = json!([{ "type": "follow", "timestamp": 2_000, "source": { "type": "user", "userId": U1 } }]);
    assert_eq!(signed(&server, comes).status, 200);
    assert!(linked(&server).is_reachable());
    assert_eq!(signed(&server, leaves).status, 200);
    assert!(linked(&server).is_reachable(), "LINE sent again what was before");
    for strange in
        [json!([{}]), json!([1, null, "x"]), json!([{ "type": "message", "source": {} }]), json!({}), json!(null)]
    {
        assert_eq!(signed(&server, strange).status, 200);
    }
}

fn link(server: &Server, flag: &str, expires_at: Timestamp) -> String {
    let ticket = LinkTicket { flag_id: flag.to_owned(), contact_id: "mail".to_owned(), expires_at };
    format!("/act/{}", server.links.sign(&ticket))
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[test]
fn a_link_shows_on_get_and_acts_on_post() {
    let server = with_offices();
    let link = link(&server, "drought-1", now().plus_secs(60));
    for _ in 0..2 {
        let page = server.get(&link);
        assert_eq!(page.status, 200);
        assert!(page.text().contains("ระดับน้ำใต้ดินต่ำกว่าปกติ") && page.text().contains("low &lt;groundwater&gt;"));
        assert!(page.header("content-security-policy").contains("form-action 'self'"));
        assert_eq!(page.header("referrer-policy"), "same-origin");
    }
    assert!(block_on(server.metadata.flag_notes(None)).unwrap().is_empty(), "scanners of mail open links");
    let post = |body: &str| server.send("POST", &link, &[FORM], body.as_bytes());
    assert_eq!(post("action=acknowledge&name=").status, 400, "nobody");
    assert_eq!(post("action=burn&name=a").status, 400);
    assert_eq!(post(&format!("action=acknowledge&name={}", "a".repeat(101))).status, 400);
    assert_eq!(post("action=acknowledge&name=%E0%B8%AA%E0%B8%A1%3Cb%3E&text=on+it").status, 200);
    let notes = block_on(server.metadata.flag_notes(None)).unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!((notes[0].by.as_str(), notes[0].contact_id.as_deref()), ("สม<b>", Some("mail")));
    assert_eq!(notes[0].text.as_deref(), Some("on it"));
    assert!(server.get(&link).text().contains("สม&lt;b&gt;"));
    assert_eq!(post("action=comment&name=a&text=later").status, 200);
    let json = server.send("POST", &link, &[("content-type", "application/json")], b"{}");
    json.problem("unsupported-type");
    let said = (0..40).map(|n| post(&format!("action=comment&name=a&text={n}")).status).collect::<Vec<_>>();
    assert_eq!(said.iter().filter(|status| **status == 200).count(), 28, "thirty an hour: {said:?}");
    assert_eq!(said.last(), Some(&429));
    // Who is not a contact any more has no say.
    let one = "office_id,level,office_name\nother,national,Other\n";
    assert_eq!(server.send("PUT", "/api/v1/offices?replace=true", &[CSV], one.as_bytes()).status, 200);
    assert_eq!((server.get(&link).status, post("action=acknowledge&name=a").status), (403, 403));
}

#[test]
fn a_link_that_is_old_or_forged_does_nothing() {
    let server = with_offices();
    let old = link(&server, "drought-1", now());
    let good = link(&server, "drought-1", now().plus_secs(60));
    let forged = format!("{}x", &good[..good.len() - 1]);
    for bad in [old.as_str(), &forged, "/act/x", "/act/x.y"] {
        assert_eq!(server.get(bad).status, 403, "{bad}");
        assert_eq!(server.send("POST", bad, &[FORM], b"action=acknowledge&name=a").status, 403, "{bad}");
    }
    assert!(block_on(server.metadata.flag_notes(None)).unwrap().is_empty());
}

#[test]
fn to_approve_by_a_link_takes_an_account() {
    use gwbank_server::auth::{Credentials, Role, password_hash};
    let mut credentials = Credentials::new();
    credentials.add_user("officer", Role::Office, &password_hash("open sesame").unwrap()).unwrap();
    credentials.add_user("reader", Role::Hydrologist, &password_hash("open sesame").unwrap()).unwrap();
    let server = Server::start(credentials, gwbank_server::Reach::Anywhere);
    let korat = Office {
        office_id: "korat".to_owned(),
        level: OfficeLevel::Province,
        place_code: Some("30".to_owned()),
        name: "Korat".to_owned(),
        name_th: None,
        phone: None,
        messages_per_minute: None,
    };
    let offices = Offices::new([korat], [Contact::new("mail", "korat", Channel::Email)]);
    assert!(block_on(server.metadata.put_offices(offices, 0, now())).unwrap());
    let link = link(&server, "drought-1", now().plus_secs(60));
    let post = |body: &str| server.send("POST", &link, &[FORM], body.as_bytes()).status;
    server.get("/cap/drought-1-1-draft.xml").problem("unauthenticated");
    assert!(!server.get("/feeds/cap.atom").text().contains("drought-1-1"), "drafts are the officers'");
    let shown = server.get(&link).text().to_owned();
    assert!(shown.contains("newest CAP document") && shown.contains("not approved"), "{shown}");
    assert_eq!(post("action=approve&account=officer&password=wrong"), 401);
    assert_eq!(post("action=approve&account=reader&password=open+sesame"), 403);
    assert_eq!(post("action=cancel&name=officer"), 401);
    assert_eq!(post("action=approve&account=officer&password=open+sesame"), 200);
    let notes = block_on(server.metadata.flag_notes(None)).unwrap();
    assert_eq!(
        (notes[0].action, notes[0].by.as_str(), notes[0].transition),
        (FlagAction::Approved, "officer", Some(1))
    );
    assert_eq!(post("action=acknowledge&name=anyone"), 200, "no account is needed for that");
}

#[test]
fn a_document_is_a_draft_until_it_is_approved() {
    let server = Server::open();
    let feed = server.get("/feeds/cap.atom");
    assert_eq!(feed.header("content-type"), "application/atom+xml; charset=utf-8");
    assert!(feed.text().contains("Draft") && feed.text().contains("/cap/drought-1-1-draft.xml"), "{}", feed.text());
    assert!(server.get("/feeds/cap/30.atom").text().contains("drought-1-1"));
    assert!(!server.get("/feeds/cap/50.atom").text().contains("drought-1-1"));
    assert!(!server.get("/feeds/cap.atom?status=actual").text().contains("drought-1-1"));
    server.get("/feeds/cap/99.atom").problem("unknown-province");
    server.get("/feeds/cap.atom?page=9").problem("bad-parameter");
    let draft = server.get("/cap/drought-1-1-draft.xml");
    assert_eq!(draft.header("content-type"), "application/cap+xml; charset=utf-8");
    for expected in [
        "<status>Draft</status>",
        "<scope>Restricted</scope>",
        "<restriction>",
        "<msgType>Alert</msgType>",
        "low &lt;groundwater&gt;",
    ] {
        assert!(draft.text().contains(expected), "{expected} in {}", draft.text());
    }
    for missing in
        ["/cap/drought-1-2.xml", "/cap/other-1.xml", "/cap/x.xml", "/cap/drought-1-1", "/cap/drought-1-1.xml"]
    {
        server.get(missing).problem("unknown-document");
    }
    let approved = server.send("POST", "/api/v1/flags/drought-1/approve", &[], &[]).json();
    assert_eq!(approved["document"], "/cap/drought-1-1.xml");
    let public = server.get("/cap/drought-1-1.xml");
    assert!(public.text().contains("<status>Actual</status>") && public.text().contains("<scope>Public</scope>"));
    assert!(server.get("/feeds/cap.atom?status=actual").text().contains("drought-1-1"));
    server.send("POST", "/api/v1/flags/drought-1/approve", &[], &[]).problem("conflict");
    server.send("POST", "/api/v1/flags/none/approve", &[], &[]).problem("unknown-flag");
}

#[test]
fn holds_and_drills_are_asked_for_by_place() {
    let server = Server::open();
    let hold = |body: serde_json::Value| server.post_json("/api/v1/holds", &body.to_string());
    let asked = json!({ "kind": "maintenance", "place": "W-0", "until": "2026-11-24", "reason": "new sensor" });
    let held = hold(asked.clone()).json();
    assert_eq!((&held["scope"], &held["holds"]), (&json!("well"), &json!(true)), "{held}");
    for (field, wrong) in [
        ("kind", "cancelled"),
        ("place", "nowhere"),
        ("until", "2026-11-20"),
        ("until", "2569-12-01"),
        ("reason", " "),
        ("hazard", "storm"),
    ] {
        let mut asked = asked.clone();
        asked[field] = json!(wrong);
        hold(asked).problem("bad-parameter");
    }
    let id = held["hold_id"].as_str().unwrap();
    let ended = server.send("POST", &format!("/api/v1/holds/{id}/end"), &[], &[]).json();
    assert_eq!(ended["holds"], false);
    assert_eq!(server.get("/api/v1/holds").json()["total"], 1);
    let drill = json!({ "kind": "exercise", "hazard": "flood", "severity": "extreme", "place": "3001" });
    assert_eq!(server.post_json("/api/v1/drills", &drill.to_string()).json()["told"], 2);
    server.post_json("/api/v1/drills", &json!({ "kind": "joke" }).to_string()).problem("bad-request");
    // A drill of a place has a document that says so, in the feeds of officers.
    let feed = server.get("/feeds/cap/30.atom");
    let feed = feed.text();
    let name = feed.split("/cap/").find_map(|rest| rest.starts_with("drill-").then(|| rest.split('"').next().unwrap()));
    let name = name.unwrap_or_else(|| panic!("{feed}"));
    let document = server.get(&format!("/cap/{name}"));
    let document = document.text();
    assert!(
        document.contains("<status>Exercise</status>") && document.contains("<scope>Restricted</scope>"),
        "{document}"
    );
    assert!(!server.get("/feeds/cap.atom?status=actual").text().contains("drill-"));
}

#[test]
fn a_stream_tells_what_came_after_an_event() {
    let server = Server::open();
    let mut stream = std::net::TcpStream::connect(server.base.trim_start_matches("http://")).unwrap();
    let asked = "GET /api/v1/flags/stream?last_event_id=0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(asked.as_bytes()).unwrap();
    let mut told = String::new();
    let mut bytes = [0; 4096];
    while !told.contains("\"evidence\"") {
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "ended after {told}");
        told.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    // What ends the stream is that the server stops.
    server.trigger.stop_accepting();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert!(told.contains("content-type: text/event-stream"), "{told}");
    assert!(told.contains("id: 1\nevent: flag\ndata: {\"type\":\"flag.raised\""), "{told}");
}
