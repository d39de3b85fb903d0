//! Does one cryptographic operation per line of standard input, so that other implementations can be compared with this
//! one. A request is a JSON object whose `op` names the operation; byte strings are in hex, specs and algorithms have
//! the names of the Rust enums. The answer is one JSON object per line: the results, or `{"error": text}`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, BufRead as _, Write as _};

use jomae_crypto::asym::{self, AsymSpec, EncAlg, PrivateKey, SignAlg};
use jomae_crypto::envelope::{self, Binding, CanonicalContext, Cipher, Content};
use jomae_crypto::import::{self, WrapAlg};
use jomae_crypto::mac::{self, MacAlg};
use jomae_crypto::sealed::SealingKey;
use jomae_crypto::secret::SecretBytes;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

struct Request(Value);

impl Request {
    fn text(&self, field: &str) -> Result<&str, Failure> {
        self.0.get(field).and_then(Value::as_str).ok_or_else(|| format!("{field} is missing").into())
    }

    fn bytes(&self, field: &str) -> Result<Vec<u8>, Failure> {
        Ok(hex::decode(self.text(field)?)?)
    }

    fn one_of<T: Debug + Copy>(&self, field: &str, all: &[T]) -> Result<T, Failure> {
        let name = self.text(field)?;
        let found = all.iter().find(|each| format!("{each:?}") == name);
        found.copied().ok_or_else(|| format!("{field} is unknown").into())
    }

    fn spec(&self) -> Result<AsymSpec, Failure> {
        self.one_of("spec", &AsymSpec::ALL)
    }

    fn private(&self) -> Result<PrivateKey, Failure> {
        Ok(PrivateKey::from_pkcs8(self.spec()?, &self.bytes("private")?)?)
    }

    fn binding(&self) -> Result<Binding<'_>, Failure> {
        Ok(Binding {
            account: self.text("account")?,
            region: self.text("region")?,
            key_id: self.text("key_id")?,
            version_id: self.text("version_id")?,
            spec: self.text("spec")?,
            usage: self.text("usage")?,
        })
    }

    fn context(&self) -> Result<CanonicalContext, Failure> {
        let pairs: Option<BTreeMap<String, String>> =
            self.0.get("context").map(|pairs| serde_json::from_value(pairs.clone())).transpose()?.flatten();
        Ok(pairs.as_ref().map(envelope::canonical_context).unwrap_or_default())
    }
}

fn answer(line: &str) -> Result<Value, Failure> {
    let request = Request(serde_json::from_str(line)?);
    Ok(match request.text("op")? {
        "generate" => key_pair(&PrivateKey::generate(request.spec()?)?)?,
        "import" => key_pair(&PrivateKey::import(request.spec()?, &request.bytes("private")?)?)?,
        "spec" => {
            let spec = asym::spec_of_spki(&request.bytes("public")?);
            json!({ "spec": spec.map(|spec| format!("{spec:?}")) })
        }
        "pem" => json!({ "pem": asym::spki_to_pem(&request.bytes("public")?) }),
        "sign" => {
            let alg = request.one_of("alg", &SignAlg::ALL)?;
            json!({ "signature": hex::encode(request.private()?.sign(alg, &request.bytes("input")?)?) })
        }
        "verify" => {
            let (spec, alg) = (request.spec()?, request.one_of("alg", &SignAlg::ALL)?);
            let (public, input) = (request.bytes("public")?, request.bytes("input")?);
            json!({ "valid": asym::verify(spec, alg, &public, &input, &request.bytes("signature")?) })
        }
        "encrypt" => {
            let (spec, alg) = (request.spec()?, request.one_of("alg", &EncAlg::ALL)?);
            let ciphertext = asym::encrypt(spec, alg, &request.bytes("public")?, &request.bytes("plaintext")?)?;
            json!({ "ciphertext": hex::encode(ciphertext) })
        }
        "decrypt" => {
            let alg = request.one_of("alg", &EncAlg::ALL)?;
            let plaintext = request.private()?.decrypt(alg, &request.bytes("ciphertext")?)?;
            json!({ "plaintext": hex::encode(plaintext.expose()) })
        }
        "encapsulate" => {
            let (ciphertext, secret) = asym::encapsulate(&request.bytes("public")?)?;
            json!({ "ciphertext": hex::encode(ciphertext), "secret": hex::encode(secret.expose()) })
        }
        "decapsulate" => {
            let secret = request.private()?.decapsulate(&request.bytes("ciphertext")?)?;
            json!({ "secret": hex::encode(secret.expose()) })
        }
        "mac" => {
            let alg = request.one_of("alg", &MacAlg::ALL)?;
            json!({ "mac": hex::encode(&*mac::mac(alg, &request.bytes("key")?, &request.bytes("message")?)) })
        }
        "wrap" => {
            let alg = request.one_of("alg", &WrapAlg::ALL)?;
            let material = SecretBytes::new(request.bytes("material")?);
            json!({ "blob": hex::encode(import::wrap_material(&request.bytes("public")?, alg, &material)?) })
        }
        "unwrap" => {
            let alg = request.one_of("alg", &WrapAlg::ALL)?;
            let expected_bytes = request.0.get("bytes").and_then(Value::as_u64).map(usize::try_from).transpose()?;
            let unwrapped = import::unwrap_material(&request.private()?, alg, &request.bytes("blob")?, expected_bytes);
            json!({ "material": hex::encode(unwrapped.accept().ok_or("refused")?.expose()) })
        }
        "envelope_seal" => {
            let cipher = request.one_of("cipher", &Cipher::ALL)?;
            let (material, plaintext) = (SealingKey::new(&request.bytes("material")?)?, request.bytes("plaintext")?);
            let (binding, context) = (request.binding()?, request.context()?);
            let blob = match request.text("content") {
                Ok("text") => {
                    envelope::encrypt_content(cipher, Content::Text, &material, &binding, &context, &plaintext)?
                }
                _ => envelope::encrypt(cipher, &material, &binding, &context, &plaintext)?,
            };
            json!({ "blob": hex::encode(blob) })
        }
        "envelope_open" => {
            let (material, blob) = (SealingKey::new(&request.bytes("material")?)?, request.bytes("blob")?);
            let plaintext = envelope::decrypt(&material, &request.binding()?, &request.context()?, &blob)?;
            json!({ "plaintext": hex::encode(plaintext.expose()) })
        }
        _ => return Err("op is unknown".into()),
    })
}

fn key_pair(key: &PrivateKey) -> Result<Value, Failure> {
    Ok(json!({ "private": hex::encode(key.to_pkcs8()?.expose()), "public": hex::encode(key.public_spki()) }))
}
