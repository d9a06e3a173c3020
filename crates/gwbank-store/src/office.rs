//! Offices as they are kept, what links their contacts, and what people said to and about flags.

use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_model::{Timestamp, named_enum};
use gwbank_registry::office::Offices;

/// Offices with the version at which they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownOffices {
    /// Grows with every change; 0 when nothing ever was there.
    pub version: i64,
    pub offices: Offices,
}

/// A one-time code that links a friend or group of LINE to a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// SHA-256 of the code, in hexadecimal: who reads the table cannot use it.
    pub code_sha256: String,
    pub contact_id: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub created_by: String,
}

named_enum! {
    /// What somebody did about a flag.
    FlagAction, "action" {
        Acknowledged = 1, "acknowledged";
        Commented = 2, "commented";
        /// Its CAP document may be told to the public.
        Approved = 3, "approved";
        /// It was wrong, and is taken back.
        Cancelled = 4, "cancelled";
    }
}

/// One row of the table `flag_actions`: who did what about a flag; never rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagNote {
    pub flag_id: String,
    pub at: Timestamp,
    pub action: FlagAction,
    /// A name or a role, as who did it gave it.
    pub by: String,
    /// How it came: `http`, `link`, `line`, `command_line`.
    pub via: String,
    /// Whose link or account it was, where it came by one.
    pub contact_id: Option<String>,
    pub text: Option<String>,
    /// Of an approval: which transition's document, by its number.
    pub transition: Option<i64>,
}

named_enum! {
    HoldKind, "hold" {
        /// Flags of a place stay as they are, and none is raised.
        Suppression = 1, "suppression";
        /// A well is being worked on: it counts nowhere.
        Maintenance = 2, "maintenance";
        /// An officer took a flag back: it is not raised anew until its condition has ended once, or got worse.
        Cancelled = 3, "cancelled";
    }
}

/// One row of the table `flag_holds`: a time in which flags are not raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub hold_id: String,
    pub kind: HoldKind,
    /// `None`: every hazard.
    pub hazard: Option<Hazard>,
    pub scope: Scope,
    pub place: String,
    pub from: Timestamp,
    /// `None`: until it is ended.
    pub until: Option<Timestamp>,
    /// Of a cancelled flag: what is worse is raised.
    pub severity: Option<Severity>,
    pub reason: String,
    pub by: String,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<String>,
}

impl Hold {
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until) && self.ended_at.is_none_or(|ended| at < ended)
    }
}

named_enum! {
    /// As CAP names what is not meant.
    DrillKind, "drill" {
        /// People act as if it were so.
        Exercise = 1, "exercise";
        /// Only the way of the message is tried.
        Test = 2, "test";
    }
}

/// One row of the table `drills`: a message as of a flag that there is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    pub drill_id: String,
    pub kind: DrillKind,
    pub hazard: Hazard,
    pub severity: Severity,
    pub scope: Scope,
    pub place: String,
    pub province_code: String,
    pub at: Timestamp,
    pub by: String,
}
