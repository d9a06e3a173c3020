//! Offices, invitations, and what people did about flags.

use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::office::{Channel, Contact, Office, OfficeLevel, Offices};

use super::metadata::at;
use crate::{Drill, DrillKind, FlagAction, FlagNote, Hold, HoldKind, Invite, KnownOffices, Metadata, WatchCommit};

fn office(id: &str) -> Office {
    Office {
        office_id: id.to_owned(),
        level: OfficeLevel::Province,
        place_code: Some("30".to_owned()),
        name: format!("Office {id}"),
        name_th: Some("สำนักงาน".to_owned()),
        phone: None,
        messages_per_minute: Some(30),
    }
}

fn contact(id: &str, office: &str) -> Contact {
    Contact { address: Some("a@example.org".to_owned()), ..Contact::new(id, office, Channel::Email) }
}

pub(super) async fn are_versions(metadata: &dyn Metadata) {
    assert_eq!(metadata.offices(None).await.expect("offices"), KnownOffices::default());
    let first = Offices::new([office("o"), office("p")], [contact("c", "o"), contact("d", "o")]);
    assert!(metadata.put_offices(first.clone(), 0, at(10)).await.expect("put"));
    assert!(!metadata.put_offices(first.clone(), 0, at(11)).await.expect("put"), "somebody changed them meanwhile");
    let known = metadata.offices(None).await.expect("offices");
    assert_eq!(known.offices, first);
    assert_eq!(metadata.offices_version().await.expect("version"), known.version);
    assert!(metadata.put_offices(first.clone(), known.version, at(12)).await.expect("put"));
    assert_eq!(metadata.offices_version().await.expect("version"), known.version, "nothing has changed");

    let gone = Contact { unreachable_since: Some(at(20)), secret: Some("s".to_owned()), ..contact("c", "o") };
    let gone = Contact { channel: Channel::Webhook, address: Some("https://example.org".to_owned()), ..gone };
    let gone = Contact { secret: Some(format!("whsec_{}", "A".repeat(32))), ..gone };
    let second = Offices::new([office("o"), office("q")], [gone]);
    assert!(metadata.put_offices(second.clone(), known.version, at(20)).await.expect("put"));
    assert_eq!(metadata.offices(None).await.expect("offices").offices, second);
    assert_eq!(metadata.offices(Some(at(19))).await.expect("offices").offices, first);
    assert_eq!(metadata.offices(Some(at(9))).await.expect("offices").offices, Offices::default());
}

pub(super) async fn an_invitation_is_taken_once(metadata: &dyn Metadata) {
    let invite = |code: &str| Invite {
        code_sha256: code.to_owned(),
        contact_id: format!("contact of {}", &code[..2]),
        created_at: at(0),
        expires_at: at(100),
        created_by: "admin".to_owned(),
    };
    metadata.add_invite(invite("one")).await.expect("invited");
    metadata.add_invite(invite("two")).await.expect("invited");
    assert_eq!(metadata.take_invite("none", at(1)).await.expect("taken"), None);
    assert_eq!(metadata.take_invite("one", at(1)).await.expect("taken"), Some(invite("one")));
    assert_eq!(metadata.take_invite("one", at(2)).await.expect("taken"), None, "once");
    assert_eq!(metadata.take_invite("two", at(100)).await.expect("taken"), None, "in time");
    metadata.add_invite(invite("two2")).await.expect("invited");
    metadata.add_invite(invite("two3")).await.expect("invited");
    assert_eq!(metadata.take_invite("two2", at(1)).await.expect("taken"), None, "a newer one is there");
    assert_eq!(metadata.take_invite("two3", at(1)).await.expect("taken"), Some(invite("two3")));
}

pub(super) async fn what_people_did_is_kept(metadata: &dyn Metadata) {
    let note = |flag: &str, action| FlagNote {
        flag_id: flag.to_owned(),
        at: at(1),
        action,
        by: "สมชาย".to_owned(),
        via: "link".to_owned(),
        contact_id: Some("c".to_owned()),
        text: Some("เห็นแล้ว".to_owned()),
        transition: Some(7),
    };
    let hold = Hold {
        hold_id: "h".to_owned(),
        kind: HoldKind::Cancelled,
        hazard: Some(Hazard::Flood),
        scope: Scope::Well,
        place: "A".to_owned(),
        from: at(0),
        until: Some(at(100)),
        severity: Some(Severity::Warning),
        reason: "the sensor was lifted".to_owned(),
        by: "office".to_owned(),
        created_at: at(0),
        ended_at: None,
        ended_by: None,
    };
    let drill = Drill {
        drill_id: "d".to_owned(),
        kind: DrillKind::Exercise,
        hazard: Hazard::Drought,
        severity: Severity::Extreme,
        scope: Scope::Province,
        place: "30".to_owned(),
        province_code: "30".to_owned(),
        at: at(5),
        by: "admin".to_owned(),
    };
    let notes = vec![note("f", FlagAction::Acknowledged), note("g", FlagAction::Commented)];
    let commit = WatchCommit {
        notes: notes.clone(),
        holds: vec![hold.clone()],
        drills: vec![drill.clone()],
        ..Default::default()
    };
    metadata.commit_watch(commit.clone()).await.expect("commit");
    metadata.commit_watch(commit).await.expect("the same commit");
    assert_eq!(metadata.flag_notes(None).await.expect("notes"), notes);
    assert_eq!(metadata.flag_notes(Some("g")).await.expect("notes"), notes[1..]);
    assert_eq!(metadata.drills().await.expect("drills"), [drill]);
    assert_eq!(metadata.flag_holds().await.expect("holds"), std::slice::from_ref(&hold));
    let ended = Hold { ended_at: Some(at(9)), ended_by: Some("office".to_owned()), ..hold };
    metadata.commit_watch(WatchCommit { holds: vec![ended.clone()], ..Default::default() }).await.expect("commit");
    assert_eq!(metadata.flag_holds().await.expect("holds"), std::slice::from_ref(&ended));
    assert!(ended.holds(at(8)) && !ended.holds(at(9)));
}
