//! Keys that images are signed with: ECDSA on P-256, in files as cosign writes them.
//!
//! A private key is PKCS#8, sealed by a passphrase: scrypt makes the key of a NaCl secretbox
//! (go-securesystemslib's `encrypted`). A bare PKCS#8 key, as `openssl genpkey` makes it, is read too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use pem::Pem;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};

/// What a public key on P-256 begins with (RFC 5480): its algorithm, its curve, and that a point follows.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// A point that is not compressed: 4, and two numbers of 32 bytes.
const POINT: usize = 65;
/// What sealed keys are called in PEM: the first is written, as every release of cosign reads it.
const SEALED: [&str; 2] = ["ENCRYPTED COSIGN PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY"];
const BARE: &str = "PRIVATE KEY";
/// The cost of a guess at a passphrase: 2^16 blocks of 1 KiB, as cosign has it.
const LOG_N: u8 = 16;
const R: u32 = 8;
const P: u32 = 1;
/// A file that asks for more work than this is refused: 2^20 takes a gigabyte.
const MOST_LOG_N: u8 = 20;

/// Why a key cannot be read. Each message reads on after a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not in PEM, or is something else.
    #[error("it holds no {wanted}")]
    Other {
        /// `private key`, `public key`.
        wanted: &'static str,
    },
    /// The passphrase does not open it.
    #[error("the passphrase does not open it")]
    Passphrase,
    /// It is sealed, and there is no passphrase.
    #[error("it is sealed by a passphrase")]
    Sealed,
    /// It is not what it says.
    #[error("it is damaged, or no key on the curve P-256")]
    Malformed,
}

/// A key that signs.
#[derive(Debug)]
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    der: SecretSlice<u8>,
}

/// A key that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

/// How a key is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

impl PrivateKey {
    /// Makes a key.
    #[must_use]
    pub fn generate() -> Self {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .expect("the system has randomness");
        Self::of_der(der.as_ref().to_vec().into()).expect("a fresh key is one")
    }

    /// Reads a key from PEM.
    ///
    /// # Errors
    /// What is wrong with it; `Sealed` where it needs a passphrase and there is none.
    pub fn from_pem(text: &str, passphrase: Option<&SecretString>) -> Result<Self, KeyError> {
        let other = || KeyError::Other { wanted: "private key" };
        let pem = pem::parse(text).map_err(|_| other())?;
        match pem.tag() {
            BARE => Self::of_der(pem.into_contents().into()),
            tag if SEALED.contains(&tag) => {
                Self::of_der(unseal(pem.contents(), passphrase.ok_or(KeyError::Sealed)?)?)
            }
            _ => Err(other()),
        }
    }

    fn of_der(der: SecretSlice<u8>) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der.expose_secret(), &random);
        Ok(Self { pair: pair.map_err(|_| KeyError::Malformed)?, der })
    }

    /// Returns the key in PEM, sealed by a passphrase.
    #[must_use]
    pub fn to_pem(&self, passphrase: &SecretString) -> String {
        let sealed = seal(self.der.expose_secret(), passphrase);
        in_pem(&Pem::new(SEALED[0], serde_json::to_vec(&sealed).expect("it is plain data")))
    }

    /// Returns the key that verifies what this one signs.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.pair.public_key().as_ref().to_vec())
    }

    /// Signs a message: ASN.1, as openssl has it.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signed = self.pair.sign(&SystemRandom::new(), message);
        signed.expect("the system has randomness").as_ref().to_vec()
    }
}

impl PublicKey {
    /// Reads a key from PEM.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let other = || KeyError::Other { wanted: "public key" };
        let pem = pem::parse(text).map_err(|_| other())?;
        if pem.tag() != "PUBLIC KEY" {
            return Err(other());
        }
        match pem.contents().strip_prefix(&SPKI) {
            Some(point) if point.len() == POINT && point[0] == 4 => Ok(Self(point.to_vec())),
            _ => Err(KeyError::Malformed),
        }
    }

    /// Returns the key in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        in_pem(&Pem::new("PUBLIC KEY", [&SPKI[..], &self.0].concat()))
    }

    /// Tells whether a signature of the message is this key's.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0).verify(message, signature).is_ok()
    }
}

fn in_pem(pem: &Pem) -> String {
    pem::encode_config(pem, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

fn seal(der: &[u8], passphrase: &SecretString) -> Sealed {
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    let random = SystemRandom::new();
    random.fill(&mut salt).and_then(|()| random.fill(&mut nonce)).expect("the system has randomness");
    let secretbox = secretbox(passphrase, &salt, LOG_N, R, P).expect("the parameters are good");
    let ciphertext = secretbox.encrypt(&nonce.into(), der).expect("it is short");
    Sealed {
        kdf: Kdf {
            name: "scrypt".to_owned(),
            params: Params { n: 1 << LOG_N, r: R, p: P },
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher { name: "nacl/secretbox".to_owned(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    }
}

fn unseal(bytes: &[u8], passphrase: &SecretString) -> Result<SecretSlice<u8>, KeyError> {
    let sealed: Sealed = serde_json::from_slice(bytes).map_err(|_| KeyError::Malformed)?;
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| KeyError::Malformed);
    let Params { n, r, p } = sealed.kdf.params;
    let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
    let known = sealed.kdf.name == "scrypt" && sealed.cipher.name == "nacl/secretbox";
    if !known || !n.is_power_of_two() || log_n > MOST_LOG_N || r > 32 || p > 8 {
        return Err(KeyError::Malformed);
    }
    let nonce: [u8; 24] = decode(&sealed.cipher.nonce)?.try_into().map_err(|_| KeyError::Malformed)?;
    let secretbox = secretbox(passphrase, &decode(&sealed.kdf.salt)?, log_n, r, p)?;
    let der = secretbox.decrypt(&nonce.into(), decode(&sealed.ciphertext)?.as_slice());
    der.map(Into::into).map_err(|_| KeyError::Passphrase)
}

fn secretbox(
    passphrase: &SecretString,
    salt: &[u8],
    log_n: u8,
    r: u32,
    p: u32,
) -> Result<XSalsa20Poly1305, KeyError> {
    let params = scrypt::Params::new(log_n, r, p, 32).map_err(|_| KeyError::Malformed)?;
    let mut key = [0; 32];
    scrypt::scrypt(passphrase.expose_secret().as_bytes(), salt, &params, &mut key)
        .map_err(|_| KeyError::Malformed)?;
    Ok(XSalsa20Poly1305::new(&key.into()))
}
