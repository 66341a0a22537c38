// In ClerkJS's place: as much of its interface as the page may use, each thing as ClerkJS does it.
(() => {
  const { src, dataset } = document.currentScript;
  const { origin } = new URL(src);
  const listeners = new Set();
  const ask = async (path) => (await fetch(origin + path, { method: "POST" })).json();
  const Clerk = {
    session: undefined,
    user: undefined,
    async load() {
      const { email } = await ask(`/client?key=${encodeURIComponent(dataset.clerkPublishableKey)}`);
      Clerk.user = email && { id: "user_x", primaryEmailAddress: { emailAddress: email } };
      Clerk.session = email && { id: "sess_x", getToken: async () => (await ask("/token")).jwt };
    },
    async redirectToSignIn({ signInForceRedirectUrl }) {
      location.assign(`${origin}/sign-in?redirect_url=${encodeURIComponent(signInForceRedirectUrl)}`);
    },
    async signOut() {
      await ask("/sign-out");
      Clerk.user = Clerk.session = null;
      for (const listener of listeners) listener({ session: null });
    },
    addListener(listener) {
      listeners.add(listener);
      listener({ session: Clerk.session });
    },
  };
  window.Clerk = Clerk;
})();
