//! Why something became a dead letter.

use gwbank_model::named_enum;

named_enum! {
    /// The fixed names of `dead_letters.reason` and of the label of `gwbank_readings_dead_total`.
    Reason, "dead letter reason" {
        /// The payload breaks the rules of its format, or is no message at all.
        Unreadable = 1, "unreadable";
        /// Longer than [`PAYLOAD_BYTES_MAX`](crate::limits::PAYLOAD_BYTES_MAX) or with too many records.
        TooLarge = 2, "too_large";
        /// Well-formed, but without any reading.
        Empty = 3, "empty";
        /// An element that is no object.
        BadRecord = 4, "bad_record";
        /// A key that stands twice in one record.
        DuplicateKey = 5, "duplicate_key";
        MissingWell = 6, "missing_well";
        MissingTime = 7, "missing_time";
        MissingParameter = 8, "missing_parameter";
        MissingValue = 9, "missing_value";
        /// A parameter or key that gwbank does not know (also: `pressure` without absolute or gauge).
        UnknownParameter = 10, "unknown_parameter";
        UnknownUnit = 11, "unknown_unit";
        /// Not a finite number.
        BadValue = 12, "bad_value";
        /// A well or gateway id with characters that an id may not have.
        BadId = 13, "bad_id";
        BadTime = 14, "bad_time";
        TimeWithoutZone = 15, "time_without_zone";
        /// Before the earliest time accepted, or ahead of the server's clock.
        Clock = 16, "clock";
        BadStatus = 17, "bad_status";
        BadRevision = 18, "bad_revision";
        /// SenML base version above 10.
        UnsupportedVersion = 19, "unsupported_version";
        /// A SenML label ending in `_` that gwbank does not understand.
        MustUnderstand = 20, "must_understand";
        /// Not registered.
        UnknownWell = 21, "unknown_well";
        /// The gateway published under another gateway's topic.
        ForeignTopic = 22, "foreign_topic";
        /// No decoder for this topic.
        UnknownTopic = 23, "unknown_topic";
        /// Good as it came, and forbidden by a rule of the archive's database.
        RefusedByArchive = 24, "refused_by_archive";
        /// Dead when it came, and when its cause was mended a later message had given its key another value.
        Superseded = 25, "superseded";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back() {
        for &reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
        }
    }
}
