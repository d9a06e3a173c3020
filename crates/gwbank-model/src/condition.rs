//! Condition flags: what a provincial office is told about a well or a place.

use crate::named_enum;

named_enum! {
    Hazard, "hazard" {
        /// Low groundwater.
        Drought = 1, "drought";
        /// High groundwater.
        Flood = 2, "flood";
        Salinity = 3, "salinity";
        RapidChange = 4, "rapid_change";
        NoData = 5, "no_data";
    }
}

named_enum! {
    /// Ordered: a later one is worse.
    Severity, "severity" {
        Watch = 1, "watch";
        Warning = 2, "warning";
        Severe = 3, "severe";
        Extreme = 4, "extreme";
    }
}

named_enum! {
    FlagState, "flag state" {
        Open = 1, "open";
        /// Open, but without recent data; silence never clears.
        Stale = 2, "stale";
        Closed = 3, "closed";
    }
}

named_enum! {
    /// What a flag or an indicator speaks of.
    Scope, "scope" {
        Well = 1, "well";
        Subdistrict = 2, "subdistrict";
        Lao = 3, "lao";
        District = 4, "district";
        Province = 5, "province";
        Aquifer = 6, "aquifer";
        /// Of flags that concern the operator: a gateway that fell silent.
        Gateway = 7, "gateway";
    }
}

named_enum! {
    Transition, "transition" {
        Raised = 1, "raised";
        Escalated = 2, "escalated";
        Eased = 3, "eased";
        WentStale = 4, "stale";
        Cleared = 5, "cleared";
        Acknowledged = 6, "acknowledged";
        /// Late or corrected data changed what is known of it, and not how bad it is.
        Updated = 7, "updated";
        /// It was not so: late data or an officer took it back.
        Cancelled = 8, "cancelled";
    }
}
