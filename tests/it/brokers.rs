//! Brokers that refuse: what the program says of them, and what it waits for.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::program::{Place, until};

const SERVER_UNAVAILABLE: u8 = 0x88;
const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;

/// In front of a broker: refuses the first connections with an MQTT 5 reason code and hands the others on.
struct Refusing {
    address: String,
    refused: Arc<AtomicUsize>,
}

impl Refusing {
    fn start(code: u8, times: usize, behind: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (refused, behind) = (Arc::new(AtomicUsize::new(0)), behind.trim_start_matches("mqtt://").to_owned());
        let counted = refused.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if counted.load(Ordering::SeqCst) < times {
                    refuse(client, code);
                    counted.fetch_add(1, Ordering::SeqCst);
                } else {
                    hand_on(&client, &TcpStream::connect(&behind).unwrap());
                }
            }
        });
        Self { address, refused }
    }

    fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

fn refuse(mut client: TcpStream, code: u8) {
    // A CONNECT comes in one piece; a client that went away is refused too.
    let _ = client.read(&mut [0; 4096]);
    let _ = client.write_all(&[0x20, 3, 0, code, 0]);
}

fn hand_on(client: &TcpStream, broker: &TcpStream) {
    for (from, to) in [(client, broker), (broker, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
    }
}

#[test]
fn a_simulation_waits_for_a_broker_that_is_unavailable_and_says_so_once() {
    let place = Place::new();
    let server = place.serve();
    let broker = Refusing::start(SERVER_UNAVAILABLE, 3, &server.mqtt);
    let to = format!("mqtt://{}", broker.address);
    let said = place.run(&["simulate", "--to", &to, "--wells", "77", "--gateways", "2", "--seconds", "1"]);
    assert_eq!(said.err.matches("waiting: ").count(), 1, "{said:?}");
    assert!(said.err.contains("ServerUnavailable; it is tried again"), "{said:?}");
    assert!(said.good().contains("readings acknowledged"));
    assert_eq!(broker.refused(), 3);
}

#[test]
fn doctor_says_what_is_wrong_with_which_broker_and_what_to_do() {
    let place = Place::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let guarded = Refusing::start(BAD_USER_NAME_OR_PASSWORD, usize::MAX, "");
    let urls = [format!("mqtt://{closed}"), "mqtt://no..host".to_owned(), format!("mqtt://{}", guarded.address)];
    let config: String =
        urls.iter().map(|url| format!("[[mqtt.external]]\nurl = {url:?}\nclient_id = \"gwbank\"\n")).collect();
    place.file("gwbank.toml", &config);
    let expected = [
        ["mqtt.external[0]", "Connection refused", "start the broker, or mend host and port"],
        ["mqtt.external[1]", "failed to lookup address", "mend the host's name"],
        ["mqtt.external[2]", "BadUserNamePassword", "mend user name and password"],
    ];
    let check = |text: &str| {
        for wanted in expected.iter().flatten() {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    };
    let without_server = place.run(&["doctor"]);
    assert_eq!(without_server.code, 1);
    check(&without_server.out);

    let server = place.serve();
    let all_tried = |text: &str| expected.iter().all(|[_, problem, _]| text.contains(problem));
    let ready = until("all sessions to be refused", || {
        let (status, body) = server.ask("GET", "/readyz", &[], &[]);
        let text = String::from_utf8(body).unwrap();
        (status == 503 && all_tried(&text)).then_some(text)
    });
    check(&ready);
    let with_server = place.run(&["doctor"]);
    assert_eq!(with_server.code, 1);
    check(&with_server.out);
}
