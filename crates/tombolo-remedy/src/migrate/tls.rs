//! TLS, by the names and meanings of libpq,
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>.

use super::address::Way;
use super::stream::{Stream, refused};
use crate::error::Error;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct};
use rustls::{RootCertStore, SignatureScheme, StreamOwned};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DURING: &str = "agreeing on TLS";

/// Where distributions keep the certificates that they trust.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How much is asked of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// No TLS.
    Disable,
    /// TLS if the server has it, whoever it is.
    Prefer,
    /// TLS, with whoever it is; with roots as [`Mode::VerifyCa`].
    Require,
    /// A certificate that the roots vouch for.
    VerifyCa,
    /// Such a certificate that bears the name of the host.
    VerifyFull,
}

impl Mode {
    /// What is asked where nothing was said: what others can read is encrypted.
    pub(super) fn of_way(way: &Way) -> Self {
        match way {
            Way::Tcp(ip, _) if !ip.is_loopback() => Mode::Require,
            Way::Tcp(..) | Way::Unix(_) => Mode::Disable,
        }
    }
}

/// Whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trust {
    pub(super) mode: Mode,
    /// Certificates in PEM; without, those that the system trusts.
    pub(super) roots: Option<PathBuf>,
    /// The host, as the user has named it.
    pub(super) name: String,
}

/// Whether a connection is to be encrypted.
///
/// # Errors
/// The server has no TLS, which is asked for.
pub(super) fn wanted(trust: &Trust, offered: bool) -> Result<bool, Error> {
    match trust.mode {
        Mode::Disable => Ok(false),
        Mode::Prefer => Ok(offered),
        _ if offered => Ok(true),
        _ => {
            let text = "it has no TLS; with sslmode=disable in the address all is sent without";
            Err(refused(DURING, text))
        }
    }
}

/// Encrypts a connection.
///
/// # Errors
/// What is wrong with the server's certificate, or with the roots.
pub(super) fn secure(mut stream: Box<dyn Stream>, trust: &Trust) -> Result<Box<dyn Stream>, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(trust, &provider)?;
    let failed = |error: rustls::Error| refused(DURING, error.to_string());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let no_name = |_| refused(DURING, "the host is no name that a certificate can bear");
    let name = ServerName::try_from(trust.name.clone()).map_err(no_name)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
    while connection.is_handshaking() {
        let done = connection.complete_io(&mut stream);
        done.map_err(|error| refused(DURING, error.to_string()))?;
    }
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

fn verifier(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Verifier, Error> {
    let mode = match (trust.mode, &trust.roots) {
        (Mode::Require, Some(_)) => Mode::VerifyCa,
        (mode, _) => mode,
    };
    let chain = match mode {
        Mode::Disable | Mode::Prefer | Mode::Require => None,
        Mode::VerifyCa | Mode::VerifyFull => {
            let store = Arc::new(roots(trust.roots.as_deref())?);
            let built = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider));
            Some(built.build().map_err(|error| refused(DURING, error.to_string()))?)
        }
    };
    Ok(Verifier { mode, chain, provider: Arc::clone(provider) })
}

fn roots(given: Option<&Path>) -> Result<RootCertStore, Error> {
    let system = || SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists());
    let path = given.or_else(system).ok_or_else(|| {
        refused(DURING, "no certificates are trusted here; name a file with sslrootcert=FILE")
    })?;
    let failed = |error: &dyn std::fmt::Display| {
        refused(DURING, format!("the certificates in {}: {error}", path.display()))
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
        // A bundle of the system may hold some that are of no use here.
        let added = store.add(certificate.map_err(|error| failed(&error))?);
        if given.is_some() {
            added.map_err(|error| failed(&error))?;
        }
    }
    if store.is_empty() {
        return Err(failed(&"there are none"));
    }
    Ok(store)
}

/// Checks as much of a certificate as was asked for.
#[derive(Debug)]
struct Verifier {
    mode: Mode,
    /// Checks the chain and the name; none where it may be whoever it is.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let verified =
            chain.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        match verified {
            // The name is looked at last, when the chain is known to be good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.mode == Mode::VerifyCa => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
