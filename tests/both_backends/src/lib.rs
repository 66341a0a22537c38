//! A test that tokens are verified whatever crypto backends the rest of a program enables.

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use tower_clerk::session::{PemKey, Verifier};
    use tower_clerk::test_util::Issuer;

    #[tokio::test]
    async fn tokens_are_verified_with_both_jsonwebtoken_backends_on() {
        let issuer = Issuer::new("https://clerk.example.com", "ins_1");
        let keys = PemKey::parse(&issuer.pem()).unwrap();
        let verifier = Verifier::builder("https://clerk.example.com", keys).build().unwrap();
        let token = issuer.token("user_1").mint();
        assert_eq!(verifier.verify(&token).await.unwrap().user_id(), "user_1");
    }

    /// Asserts that `jsonwebtoken` alone fails here; otherwise the test above would prove nothing.
    #[test]
    fn jsonwebtoken_itself_cannot_choose_here() {
        let key = DecodingKey::from_secret(b"secret").unwrap();
        let chosen = std::panic::catch_unwind(|| {
            decode::<()>("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", &key, &Validation::default())
        });
        assert!(chosen.is_err(), "both backends are on, so none is the process's");
    }
}
