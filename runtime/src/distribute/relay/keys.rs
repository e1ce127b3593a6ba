//! A run's keys: an authority that lives in memory, and a certificate for each host, named after its
//! seat in the run.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use sealer_agent::wire::Keys;

/// What signs the hosts' certificates. It is on no disk, and gone with the run.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

/// The name in a host's certificate. Clocks of hosts may be wrong: certificates end with the run, for
/// nobody else knows the authority, and not by the calendar.
pub(super) fn name(seat: usize) -> String {
    format!("host-{seat}.relay.sealer")
}

impl Authority {
    pub(super) fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.der().to_vec();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Makes the keys of a host.
    pub(super) fn keys(&self, seat: usize) -> Result<Keys, rcgen::Error> {
        let mut params = CertificateParams::new(vec![name(seat)])?;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Keys {
            authority: self.certificate.clone(),
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
        })
    }
}
