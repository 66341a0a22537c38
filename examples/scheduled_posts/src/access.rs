//! Who may call, and where their tokens come from: the layers of the routes.

use axum::Router;
use axum::http::HeaderValue;
use tower_clerk::config::ClerkConfig;
use tower_clerk::session::machine::{
    MachineKind, MachineTokens, ProtectedResource, ResourceService,
};
use tower_clerk::session::source::{Bearer, SessionCookies, TokenSources};
use tower_clerk::session::{AudiencePolicy, ClerkAuthLayer, JsonResponder, Scope, Verifier};
use tower_clerk::{ConfigError, Origin};

use crate::config::{AccessConfig, PublicUrl};

/// Who may call, and where their tokens come from.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    verifier: Verifier,
    sources: Option<TokenSources>,
    /// The callers of reading routes beside users.
    machines: Option<MachineTokens>,
    resource: Option<ProtectedResource>,
}

impl Access {
    /// Returns what these settings say. Pages of `origins` may send cookies.
    pub(crate) fn new(
        config: &AccessConfig,
        clerk: &ClerkConfig,
        verifier: Verifier,
        origins: &[HeaderValue],
    ) -> Result<Self, ConfigError> {
        let cookies = clerk.publishable_key().filter(|_| config.cookies);
        let sources = match cookies {
            Some(key) => {
                let texts = origins.iter().filter_map(|it| it.to_str().ok());
                let origins = texts.map(Origin::parse).collect::<Result<Vec<_>, _>>()?;
                let cookies = SessionCookies::new(key).allowed_origins(origins);
                Some(TokenSources::first(Bearer::new()).then(cookies))
            }
            None => None,
        };
        let public_url = config.public_url.as_ref().map(PublicUrl::as_str);
        let resource = public_url.filter(|_| config.accepts(MachineKind::OAuth));
        let resource = resource.map(|url| {
            let resource = ProtectedResource::new(url, clerk.issuer())?;
            Ok::<_, ConfigError>(resource.scopes([READING]))
        });
        let machines = match &*config.accepted {
            [] => None,
            accepted => {
                let own = public_url.map(str::to_owned).into_iter().collect();
                let machines = MachineTokens::new(&clerk.introspection()?.build())
                    .audience(AudiencePolicy::IfPresent(own));
                Some(accepted.iter().fold(machines, |machines, kind| machines.accept(*kind)))
            }
        };
        Ok(Self { verifier, sources, machines, resource: resource.transpose()? })
    }

    /// Returns the layer of routes for users alone.
    pub(crate) fn users(&self) -> ClerkAuthLayer {
        let layer = ClerkAuthLayer::new(self.verifier.clone());
        let layer = match &self.sources {
            Some(sources) => layer.sources(sources.clone()),
            None => layer,
        };
        match &self.resource {
            Some(resource) => layer.respond_with(resource.challenging(JsonResponder::new())),
            None => layer,
        }
    }

    /// Returns the layer of routes that other callers may read too.
    pub(crate) fn readers(&self) -> ClerkAuthLayer {
        let layer = self.users();
        match &self.machines {
            Some(machines) => layer.machines(machines.clone()),
            None => layer,
        }
    }

    /// Returns the description for OAuth clients, if they are accepted.
    pub(crate) fn description(&self) -> Option<ResourceService> {
        self.resource.as_ref().map(ProtectedResource::service)
    }

    /// Returns whether others than users may call.
    pub(crate) fn has_machines(&self) -> bool {
        self.machines.is_some()
    }
}

/// Returns the route of the description.
pub(crate) fn description(service: ResourceService) -> Router {
    Router::new().route_service(ProtectedResource::PATH, service)
}

/// The scope that reading needs.
pub(crate) const READING: Scope = Scope::new("posts:read");
