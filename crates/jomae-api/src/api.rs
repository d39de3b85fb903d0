//! The APIs that one port answers.

/// An API of the cloud that answers on our port. A request names its version, and no two have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// The key management service.
    Kms,
    /// Users, groups, roles, policies (Resource Access Management).
    Ram,
    /// Temporary credentials (Security Token Service).
    Sts,
    /// The audit log.
    ActionTrail,
}

impl Api {
    /// Every API.
    pub const ALL: [Self; 4] = [Self::Kms, Self::Ram, Self::Sts, Self::ActionTrail];

    /// What requests name as `Version`.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Kms => crate::API_VERSION,
            Self::Ram => "2015-05-01",
            Self::Sts => "2015-04-01",
            Self::ActionTrail => "2020-07-06",
        }
    }

    /// `serviceName` of its events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kms => "Kms",
            Self::Ram => "Ram",
            Self::Sts => "Sts",
            Self::ActionTrail => "Actiontrail",
        }
    }

    /// The first part of its permissions and resource names.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Ram => "ram",
            Self::Sts => "sts",
            Self::ActionTrail => "actiontrail",
        }
    }

    /// Whether its resources belong to no region.
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Ram | Self::Sts)
    }
}
