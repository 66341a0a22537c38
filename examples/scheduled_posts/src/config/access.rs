//! The settings of who may call, and how: cookies, callers beside users, and the server's own address.

use tower_clerk::config::ClerkConfig;
use tower_clerk::session::machine::{MachineKind, ProtectedResource};

use crate::config::reader::{Clerk, Reader};
use crate::config::values;

/// The settings of who may call, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessConfig {
    /// Whether Clerk's session cookie counts where there is no `Authorization`.
    pub(crate) cookies: bool,
    /// The callers beside users.
    pub(crate) accepted: Vec<MachineKind>,
    pub(crate) public_url: Option<PublicUrl>,
}

/// The server's own address as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl(String);

impl PublicUrl {
    fn parse(text: &str) -> Result<Self, String> {
        // By the rule for resources, whatever the issuer is.
        match ProtectedResource::new(text, "https://clerk.example.com") {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => {
                let error = error.to_string();
                Err(error.split_once(": ").map_or(&*error, |(_, problem)| problem).to_owned())
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the host, with the port if the address has one.
    pub(crate) fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }
}

impl AccessConfig {
    pub(crate) fn accepts(&self, kind: MachineKind) -> bool {
        self.accepted.contains(&kind)
    }
}

impl Reader<'_> {
    /// Reads who may call. `clerk` is `None` if its settings are wrong, which is reported already.
    pub(super) fn access(&mut self, clerk: Option<&Clerk>) -> AccessConfig {
        let access = AccessConfig {
            cookies: self.value("CLERK_COOKIES", false, values::on_or_off),
            accepted: self.value("CLERK_ACCEPT", Vec::new(), kinds),
            public_url: self.value("PUBLIC_URL", None, |text| PublicUrl::parse(text).map(Some)),
        };
        if access.accepts(MachineKind::OAuth) && self.env.get("PUBLIC_URL").is_none() {
            self.errors.push(format!("PUBLIC_URL: {NO_PUBLIC_URL}"));
        }
        if let Some(Clerk::Real(clerk)) = clerk {
            self.check_keys(&access, clerk);
        }
        access
    }

    /// Checks that there are the keys with which Clerk is asked.
    fn check_keys(&mut self, access: &AccessConfig, clerk: &ClerkConfig) {
        if access.cookies && clerk.publishable_key().is_none() {
            self.errors.push(format!("CLERK_PUBLISHABLE_KEY: {NO_PUBLISHABLE_KEY}"));
        }
        let [has_secret_key, has_machine_key] =
            [clerk.secret_key().is_some(), clerk.machine_secret_key().is_some()];
        let can_be_asked =
            |kind: &&MachineKind| has_secret_key || (**kind == MachineKind::M2m && has_machine_key);
        if let Some(kind) = access.accepted.iter().find(|kind| !can_be_asked(kind)) {
            let or = match kind {
                MachineKind::M2m => " (or CLERK_MACHINE_SECRET_KEY)",
                _ => "",
            };
            self.errors.push(format!(
                "CLERK_SECRET_KEY: is not set, but CLERK_ACCEPT has {}, about whose tokens Clerk is asked \
                 with it; set it{or}, or leave {0} out",
                kind.as_str(),
            ));
        }
    }
}

fn kinds(text: &str) -> Result<Vec<MachineKind>, &'static str> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let kind = |entry| match entry {
        "api_key" => Ok(MachineKind::ApiKey),
        "m2m" => Ok(MachineKind::M2m),
        "oauth" => Ok(MachineKind::OAuth),
        _ => Err("must be api_key, m2m or oauth, or several of them separated by commas"),
    };
    entries.map(kind).collect()
}

const NO_PUBLIC_URL: &str = "is not set, but CLERK_ACCEPT has oauth, whose clients are told by it which \
    server their tokens are for; set it to this server's address as clients see it, such as \
    https://api.example.com";

const NO_PUBLISHABLE_KEY: &str = "is not set, but CLERK_COOKIES is on, and the names of Clerk's cookies are \
    made of it; set it, or leave CLERK_COOKIES off";
