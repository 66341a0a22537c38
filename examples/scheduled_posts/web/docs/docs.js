// @ts-check
// The viewer of the API's description, with "Try it out" as whoever is signed in on the page.

import { findAuth } from "/web/auth.js";

/**
 * What the viewer's bundle defines, as far as it is used here.
 * @typedef {{ url: string, headers: Record<string, string> }} ViewerRequest
 */
// @ts-ignore The bundle is loaded before this module, and has no types.
const SwaggerUIBundle = window.SwaggerUIBundle;

// The sign-in may be out of reach: the description can be read all the same.
const { auth } = await findAuth().catch(() => ({ auth: null }));

function tell() {
  const who = document.getElementById("who");
  if (who) who.textContent = auth?.signedIn ? "Requests are sent as you." : "Nobody is signed in: sign in on the application's page.";
}

auth?.onChange(() => location.reload());
tell();

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#viewer",
  presets: [SwaggerUIBundle.presets.apis],
  // Nothing is sent to others, and nothing is kept.
  validatorUrl: null,
  queryConfigEnabled: false,
  persistAuthorization: false,
  withCredentials: false,
  deepLinking: false,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  /** @param {ViewerRequest} request */
  requestInterceptor: async (request) => {
    // A token for this server alone, and a new one for each request.
    if (new URL(request.url, location.href).origin !== location.origin) return request;
    const token = auth?.signedIn ? await auth.getToken({ fresh: true }).catch(() => null) : null;
    if (token) request.headers.Authorization = `Bearer ${token}`;
    tell();
    return request;
  },
});
