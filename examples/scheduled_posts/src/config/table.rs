//! The table of all variables that the program reads. `--help`, `.env.example` and
//! `docs/settings.md` are generated from its rows, and tests compare them with what the code reads.
//! Reads nothing itself. One file, however long, because it is one table.

/// A group of settings under one heading.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) title: &'static str,
    /// A text about all of them; may be empty.
    pub(crate) about: &'static str,
    pub(crate) settings: &'static [Setting],
}

/// A variable of the environment.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The name, and further names for the same setting.
    pub(crate) names: &'static [&'static str],
    /// The meaning, in one sentence.
    pub(crate) meaning: &'static str,
    /// Further sentences; may be empty.
    pub(crate) details: &'static str,
    pub(crate) unset: Unset,
    pub(crate) read_by: &'static [Subcommand],
    /// A value as in a `.env` file, in quotes if it needs them, with `…` where it is shortened.
    pub(crate) example: &'static str,
    /// Whether the value must never be shown.
    pub(crate) is_secret: bool,
}

/// The effect of an unset variable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unset {
    /// The default value.
    Value(&'static str),
    /// The effect, when there is no default value.
    Effect(&'static str),
}

/// A subcommand that reads the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subcommand {
    Backfill,
    DevClerk,
    Doctor,
    Migrate,
    Parked,
    Serve,
}

impl Subcommand {
    pub(crate) const ALL: [Self; 6] =
        [Self::Serve, Self::Doctor, Self::DevClerk, Self::Backfill, Self::Parked, Self::Migrate];

    /// Returns the name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::DevClerk => "dev-clerk",
            Self::Doctor => "doctor",
            Self::Migrate => "migrate",
            Self::Parked => "parked",
            Self::Serve => "serve",
        }
    }
}

/// Returns the settings that `subcommand` reads, by group.
pub(crate) fn read_by(
    subcommand: Subcommand,
) -> impl Iterator<Item = (&'static Topic, Vec<&'static Setting>)> {
    TOPICS.iter().filter_map(move |topic| {
        let read = |setting: &&Setting| setting.read_by.contains(&subcommand);
        let settings: Vec<_> = topic.settings.iter().filter(read).collect();
        (!settings.is_empty()).then_some((topic, settings))
    })
}

/// Returns the names of the variables that `subcommand` reads.
#[cfg(test)]
pub(crate) fn names(subcommand: Subcommand) -> std::collections::BTreeSet<String> {
    let settings = read_by(subcommand).flat_map(|(_, settings)| settings);
    settings.flat_map(|setting| setting.names).map(|name| (*name).to_owned()).collect()
}

const EVERYBODY: &[Subcommand] = &Subcommand::ALL;
const SERVER: &[Subcommand] = &[Subcommand::Serve, Subcommand::Doctor];
const SERVER_AND_BACKFILL: &[Subcommand] =
    &[Subcommand::Serve, Subcommand::Doctor, Subcommand::Backfill];
const SERVER_AND_DEV_CLERK: &[Subcommand] =
    &[Subcommand::Serve, Subcommand::Doctor, Subcommand::DevClerk];

pub(crate) static TOPICS: [Topic; 8] = [
    Topic {
        title: "Clerk",
        about: "The keys are in Clerk's Dashboard, under API keys. While no CLERK_ variable is set \
                and HOST is a loopback address, the dev Clerk stands in for Clerk. Variables that \
                only Clerk's other SDKs read, such as those of telemetry and of sign-in pages, are \
                ignored.",
        settings: &[
            Setting {
                names: &["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"],
                meaning: "The publishable key of your Clerk instance, which gives the issuer and \
                          the JWKS URL.",
                details: "The second name is the one that Next.js uses.",
                unset: Unset::Effect(
                    "CLERK_ISSUER with CLERK_JWKS_URL or CLERK_JWT_KEY must be set, or the dev \
                     Clerk stands in",
                ),
                read_by: SERVER,
                example: "pk_live_…",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_SECRET_KEY"],
                meaning: "The secret key of your Clerk instance, with which backfill and doctor \
                          call the Backend API, and the server asks for its instance and about \
                          the tokens of CLERK_ACCEPT.",
                details: "To ask the dev Clerk instead, start `scheduled-posts dev-clerk` and \
                          evaluate the lines that it prints.",
                unset: Unset::Effect(
                    "backfill cannot run, and doctor does not call the Backend API",
                ),
                read_by: SERVER_AND_BACKFILL,
                example: "sk_live_…",
                is_secret: true,
            },
            Setting {
                names: &["CLERK_AUTHORIZED_PARTIES"],
                meaning: "The origins of your front end, separated by commas; session tokens for \
                          any other site are refused.",
                details: "",
                unset: Unset::Effect("tokens for all sites of the instance are accepted"),
                read_by: SERVER,
                example: "https://app.example.com",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_COOKIES"],
                meaning: "Whether Clerk's session cookie counts where a request has no Authorization \
                          header: on or off.",
                details: "Needs the publishable key. Requests that change something, and WebSockets, \
                          count only from the server's own pages and those of \
                          CORS_ALLOWED_ORIGINS.",
                unset: Unset::Value("off"),
                read_by: SERVER,
                example: "on",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_ACCEPT"],
                meaning: "The callers who may read beside users, separated by commas: api_key, m2m \
                          and oauth.",
                details: "An API key of a user and an OAuth token need the scope posts:read. In phases \
                          1 and 2 only users may call.",
                unset: Unset::Effect("only users may call"),
                read_by: SERVER,
                example: "api_key,m2m,oauth",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_MACHINE_SECRET_KEY"],
                meaning: "The secret key of this server's own machine, from Clerk's Dashboard, under \
                          Machines, with which Clerk is asked about machines' tokens.",
                details: "",
                unset: Unset::Effect("CLERK_SECRET_KEY is used"),
                read_by: SERVER,
                example: "ak_…",
                is_secret: true,
            },
            Setting {
                names: &["CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_WEBHOOK_SECRET"],
                meaning: "The signing secret of the endpoint https://…/api/webhooks/clerk, from \
                          Clerk's Dashboard, under Webhooks.",
                details: "While a secret is being replaced, set the old and the new one, separated \
                          by a space and in quotes.",
                unset: Unset::Effect("the webhook route answers 404, and users are not synced"),
                read_by: SERVER,
                example: "whsec_…",
                is_secret: true,
            },
            Setting {
                names: &["CLERK_INSTANCE_ID"],
                meaning: "The id of your Clerk instance; webhooks that name another are \
                          acknowledged and change nothing, with a warning and a counter.",
                details: "Needed only without a secret key, or where the Backend API does not tell. \
                          The Dashboard's examples name ins_123 and never change anything.",
                unset: Unset::Effect(
                    "the Backend API is asked in the background where there is a secret key; \
                     until it answers, the webhooks of every instance are taken",
                ),
                read_by: SERVER,
                example: "ins_…",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_PROXY_URL", "NEXT_PUBLIC_CLERK_PROXY_URL"],
                meaning: "The URL under which your application itself proxies Clerk's Frontend \
                          API: the issuer, and the JWKS URL below it.",
                details: "",
                unset: Unset::Effect("the publishable key gives both"),
                read_by: SERVER,
                example: "https://app.example.com/__clerk",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_IS_SATELLITE", "NEXT_PUBLIC_CLERK_IS_SATELLITE"],
                meaning: "Set for Clerk's SDKs on a satellite domain; refused without CLERK_ISSUER \
                          unless it is false.",
                details: "A satellite's tokens have the issuer of its primary domain.",
                unset: Unset::Effect("this is no satellite"),
                read_by: SERVER,
                example: "false",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_DOMAIN", "NEXT_PUBLIC_CLERK_DOMAIN"],
                meaning: "Set for Clerk's SDKs on a satellite domain; refused without CLERK_ISSUER.",
                details: "",
                unset: Unset::Effect("this is no satellite"),
                read_by: SERVER,
                example: "….example.com",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_ISSUER"],
                meaning: "The issuer whose session tokens are accepted.",
                details: "Needed only where the publishable key is unset or gives another one.",
                unset: Unset::Effect("the publishable key gives it"),
                read_by: SERVER,
                example: "https://clerk.example.com",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_JWKS_URL"],
                meaning: "The URL that the keys for verifying tokens are fetched from; http: only \
                          on a loopback address.",
                details: "Needed only where the publishable key is unset or gives another one. \
                          The Backend API's /v1/jwks is asked with CLERK_SECRET_KEY.",
                unset: Unset::Effect("the publishable key gives it"),
                read_by: SERVER,
                example: "https://clerk.example.com/.well-known/jwks.json",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_JWT_KEY"],
                meaning: "The PEM public key from Clerk's Dashboard, used instead of fetched keys.",
                details: "It may be on one line, with \\n for each line end, or the base64 of the \
                          whole file; not together with CLERK_JWKS_URL. When Clerk replaces the \
                          key, set the new one and restart the server.",
                unset: Unset::Effect("the keys are fetched"),
                read_by: SERVER,
                example: "'-----BEGIN PUBLIC KEY-----\\n…\\n-----END PUBLIC KEY-----'",
                is_secret: false,
            },
            Setting {
                names: &["CLERK_API_URL"],
                meaning: "The base URL of Clerk's Backend API.",
                details: "",
                unset: Unset::Value("https://api.clerk.com"),
                read_by: SERVER_AND_BACKFILL,
                example: "https://api.clerk.com",
                is_secret: false,
            },
        ],
    },
    Topic {
        title: "Where to listen",
        about: "PORT, HTTP_REDIRECT_PORT, METRICS_ADDR and DEV_CLERK_PORT, as far as they are \
                used, must be different ports.",
        settings: &[
            Setting {
                names: &["HOST"],
                meaning: "The IP address that the server listens on: one of this machine's, or \
                          0.0.0.0 or :: for all of them; localhost is 127.0.0.1.",
                details: "The subcommand dev-clerk posts its webhooks to the server on HOST and \
                          PORT.",
                unset: Unset::Value("127.0.0.1"),
                read_by: SERVER_AND_DEV_CLERK,
                example: "127.0.0.1",
                is_secret: false,
            },
            Setting {
                names: &["PORT"],
                meaning: "The port that the server listens on.",
                details: "",
                unset: Unset::Value("8002"),
                read_by: SERVER_AND_DEV_CLERK,
                example: "8002",
                is_secret: false,
            },
            Setting {
                names: &["TLS_CERT"],
                meaning: "The PEM file with the certificate and its chain; with TLS_KEY beside it \
                          the server speaks HTTPS.",
                details: "Both files are read again every minute and on SIGHUP. While it is set, \
                          the subcommand dev-clerk posts its webhooks over HTTPS.",
                unset: Unset::Effect("the server speaks plain HTTP"),
                read_by: SERVER_AND_DEV_CLERK,
                example: "/etc/ssl/app.example.com/fullchain.pem",
                is_secret: false,
            },
            Setting {
                names: &["TLS_KEY"],
                meaning: "The PEM file with the certificate's private key.",
                details: "",
                unset: Unset::Effect("the server speaks plain HTTP"),
                read_by: SERVER,
                example: "/etc/ssl/app.example.com/privkey.pem",
                is_secret: false,
            },
            Setting {
                names: &["HTTP_REDIRECT_PORT"],
                meaning: "A second port on HOST, where plain HTTP is redirected to HTTPS.",
                details: "It requires TLS_CERT and TLS_KEY.",
                unset: Unset::Effect("nothing is redirected"),
                read_by: SERVER,
                example: "80",
                is_secret: false,
            },
            Setting {
                names: &["PUBLIC_URL"],
                meaning: "The server's own address as clients see it, without a slash at the end; \
                          OAuth clients are told by it which server their tokens are for.",
                details: "Required where CLERK_ACCEPT has oauth.",
                unset: Unset::Effect("oauth cannot be accepted"),
                read_by: SERVER,
                example: "https://api.example.com",
                is_secret: false,
            },
            Setting {
                names: &["CORS_ALLOWED_ORIGINS"],
                meaning: "The origins whose pages may call this server, separated by commas.",
                details: "",
                unset: Unset::Value("http://localhost:3000"),
                read_by: SERVER,
                example: "http://localhost:3000",
                is_secret: false,
            },
            Setting {
                names: &["CORS_ALLOWED_HEADERS"],
                meaning: "Request headers that these pages may send beside the usual ones, \
                          separated by commas.",
                details: "The usual ones are authorization, content-type, x-request-id, \
                          traceparent, tracestate, baggage and sentry-trace.",
                unset: Unset::Effect("the usual ones only"),
                read_by: SERVER,
                example: "x-app-version",
                is_secret: false,
            },
            Setting {
                names: &["TRUSTED_PROXIES"],
                meaning: "The addresses or networks of proxies whose X-Forwarded-For is trusted, \
                          separated by commas.",
                details: "",
                unset: Unset::Effect("X-Forwarded-For is ignored"),
                read_by: SERVER,
                example: "10.0.0.5/32",
                is_secret: false,
            },
        ],
    },
    Topic {
        title: "Data",
        about: "",
        settings: &[Setting {
            names: &["DATABASE_URL"],
            meaning: "The database: postgres://user:password@host/database, \
                      mysql://user:password@host/database, or sqlite: and a file.",
            details: "The characters / ? # @ : and % in a user name or password are written as \
                      %2F %3F %23 %40 %3A and %25. For PostgreSQL behind a pooler that carries \
                      prepared statements along, add ?statement-cache-capacity=100.",
            unset: Unset::Value("sqlite://scheduled-posts.db?mode=rwc"),
            read_by: EVERYBODY,
            example: "sqlite://scheduled-posts.db?mode=rwc",
            is_secret: true,
        }],
    },
    Topic {
        title: "Limits",
        about: "A limit is a number of requests and a time, such as 10/second, 600/minute or \
                100/hour; or off.",
        settings: &[
            Setting {
                names: &["RATE_LIMIT"],
                meaning: "The limit on requests of each verified user; the default is off while \
                          the dev Clerk stands in.",
                details: "",
                unset: Unset::Value("100/hour"),
                read_by: SERVER,
                example: "100/hour",
                is_secret: false,
            },
            Setting {
                names: &["ADDRESS_RATE_LIMIT"],
                meaning: "The limit on requests of each address, counted before tokens are \
                          verified.",
                details: "",
                unset: Unset::Value("600/minute"),
                read_by: SERVER,
                example: "600/minute",
                is_secret: false,
            },
            Setting {
                names: &["REDIS_URL"],
                meaning: "The Redis in which several servers count requests together: \
                          redis://user:password@host:port/database, or rediss:// for TLS.",
                details: "",
                unset: Unset::Effect("each server counts by itself"),
                read_by: SERVER,
                example: "redis://localhost",
                is_secret: true,
            },
        ],
    },
    Topic {
        title: "Suggestions for posts",
        about: "Set all three, or none.",
        settings: &[
            Setting {
                names: &["OPENAI_BASE_URL"],
                meaning: "The base URL of the service that generate-ai calls, which speaks OpenAI's \
                          chat protocol; http: only on this machine.",
                details: "",
                unset: Unset::Effect("generate-ai answers 503"),
                read_by: SERVER,
                example: "https://api.openai.com/v1",
                is_secret: false,
            },
            Setting {
                names: &["OPENAI_API_KEY"],
                meaning: "The key for that service; any word if it needs none.",
                details: "",
                unset: Unset::Effect("generate-ai answers 503"),
                read_by: SERVER,
                example: "sk-…",
                is_secret: true,
            },
            Setting {
                names: &["OPENAI_MODEL"],
                meaning: "The model that makes the suggestions.",
                details: "",
                unset: Unset::Effect("generate-ai answers 503"),
                read_by: SERVER,
                example: "gpt-5-mini",
                is_secret: false,
            },
        ],
    },
    Topic {
        title: "Operation",
        about: "",
        settings: &[
            Setting {
                names: &["DEAD_LETTERS"],
                meaning: "Whether webhooks that can never be applied are parked, for \
                          `scheduled-posts parked`: on or off.",
                details: "With off they are refused, and lost once Clerk has given up.",
                unset: Unset::Value("on"),
                read_by: SERVER,
                example: "on",
                is_secret: false,
            },
            Setting {
                names: &["LOCKOUTS"],
                meaning: "Whether users who are signed out or banned at Clerk, and members who have \
                          left, are out within two seconds: on or off.",
                details: "With off, and without webhooks, their tokens are good until they expire. \
                          With on, tokens that live longer than an hour are refused.",
                unset: Unset::Value("on"),
                read_by: SERVER,
                example: "on",
                is_secret: false,
            },
            Setting {
                names: &["METRICS_ADDR"],
                meaning: "The address and port of a separate listener for /metrics, which has no \
                          access control.",
                details: "",
                unset: Unset::Effect("/metrics is not served"),
                read_by: SERVER,
                example: "127.0.0.1:9002",
                is_secret: false,
            },
            Setting {
                names: &["RUST_LOG"],
                meaning: "Which log lines are written: a level, or a filter such as \
                          info,scheduled_posts=debug.",
                details: "",
                unset: Unset::Value("info"),
                read_by: EVERYBODY,
                example: "info",
                is_secret: false,
            },
            Setting {
                names: &["LOG_FORMAT"],
                meaning: "How log lines are written: pretty or json.",
                details: "",
                unset: Unset::Value("pretty"),
                read_by: EVERYBODY,
                example: "pretty",
                is_secret: false,
            },
        ],
    },
    Topic {
        title: "While clients migrate from user_id to tokens",
        about: "See docs/from-user-id-to-verified-tokens.md.",
        settings: &[
            Setting {
                names: &["AUTH_PHASE"],
                meaning: "The phase of the migration: in 1 and 2 a client's user_id is trusted, in \
                          3 only verified tokens count.",
                details: "",
                unset: Unset::Value("3"),
                read_by: SERVER,
                example: "3",
                is_secret: false,
            },
            Setting {
                names: &["ALLOWED_HOSTS"],
                meaning: "The host names that phases 1 and 2 answer to, beside loopback names and \
                          the certificate's, separated by commas; with the port where it is not \
                          the scheme's own.",
                details: "Any other Host is refused with 421, also in health checks: a page that \
                          points its own name at this server would act as anybody.",
                unset: Unset::Effect("loopback names and the certificate's only"),
                read_by: SERVER,
                example: "app.example.com",
                is_secret: false,
            },
            Setting {
                names: &["ALLOW_UNVERIFIED_USERS"],
                meaning: "The word yes allows phases 1 and 2 with a production instance's keys.",
                details: "",
                unset: Unset::Effect("phases 1 and 2 refuse the keys of a production instance"),
                read_by: SERVER,
                example: "yes",
                is_secret: false,
            },
        ],
    },
    Topic {
        title: "Development",
        about: "",
        settings: &[Setting {
            names: &["DEV_CLERK_PORT"],
            meaning: "The port on 127.0.0.1 that the dev Clerk listens on.",
            details: "The dev Clerk keeps its users and its key in a file beside SQLite's, with \
                      the same name and the ending .dev-clerk.json; with another database, in \
                      scheduled-posts.dev-clerk.json in the working directory.",
            unset: Unset::Value("8003"),
            read_by: SERVER_AND_DEV_CLERK,
            example: "8003",
            is_secret: false,
        }],
    },
];
