//! The demo, small: what it prints works as printed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::program::{Place, gwbank};

#[test]
fn the_printed_commands_work_as_printed() {
    let place = Place::new();
    let mut demo = gwbank()
        .current_dir(place.dir.path())
        .args([
            "demo",
            "--wells",
            "77",
            "--years",
            "1",
            "--mqtt-port",
            "0",
            "--http-port",
            "0",
            "--postgres-port",
            "0",
            "--flight-port",
            "0",
            "--data-dir",
            "demo",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut printed = Vec::new();
    for line in lines {
        let last = line.starts_with("Live readings arrive");
        printed.push(line);
        if last {
            break;
        }
    }
    let ready = printed.iter().find(|line| line.starts_with("ready after")).unwrap();
    assert!(ready.contains("77 wells"), "{ready}");
    let commands: Vec<&String> =
        printed.iter().filter(|line| line.contains(" sql --server ") || line.starts_with("curl ")).collect();
    assert_eq!(commands.len(), 6, "{printed:#?}");
    let has_curl = Command::new("curl").arg("--version").output().is_ok();
    for command in commands.iter().filter(|command| has_curl || !command.starts_with("curl ")) {
        let output = Command::new("sh").arg("-c").arg(command).current_dir(place.dir.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains("problem") && text.lines().count() >= 1, "{command}: {text}");
    }
    Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}
