//! TLS between doors and owners: version 1.3 alone, with raw public keys (RFC 7250).
//!
//! Both sides have a pair of keys of Ed25519, and know the public key of the other from a file.
//! There is nothing else to agree on: no names, no authorities, no dates. What is compared are
//! public keys; that a side has the secret half is shown by its signature. No session is taken up
//! again, so each of them is shown anew.

use super::stream::Raw;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection,
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection,
    SignatureScheme,
};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tombolo_core::wire::keys::{Credentials, KEY_BYTES, OwnerKeys, PublicKey, Secret};

/// What stands before the bytes of a secret key, and of a public one (RFC 8410, sections 7 and 4).
const SECRET_START: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PUBLIC_START: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Why a connection is not encrypted, or no longer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// It has another key than was expected, or none.
    #[error("the other side has not the key that it should have")]
    Stranger,
    /// The other side says that of this one.
    #[error("the other side does not accept these credentials")]
    NotAccepted,
    /// Not even TLS.
    #[error("the other side does not speak TLS")]
    NotTls,
    /// Anything else.
    #[error("TLS: {0}")]
    Other(Error),
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        use AlertDescription as Alert;
        match error {
            Error::InvalidCertificate(_) | Error::NoCertificatesPresented => TlsError::Stranger,
            Error::AlertReceived(
                Alert::AccessDenied
                | Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::CertificateUnknown
                | Alert::DecryptError,
            ) => TlsError::NotAccepted,
            Error::InvalidMessage(_) => TlsError::NotTls,
            other => TlsError::Other(other),
        }
    }
}

impl TlsError {
    /// The one within an error of a [`super::Stream`].
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

fn refused(error: Error) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, TlsError::from(error))
}

/// The side that is called.
#[derive(Clone, Debug)]
pub struct OwnerTls(Arc<ServerConfig>);

/// The side that calls.
#[derive(Clone, Debug)]
pub struct DoorTls(Arc<ClientConfig>);

impl OwnerTls {
    /// Of the owner's keys.
    ///
    /// # Errors
    /// Where the keys are of no use.
    pub fn new(keys: &OwnerKeys) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let expected = Pinned::new(public_key(&keys.door)?, &provider);
        let resolver = AlwaysResolvesServerRawPublicKeys::new(certified(&keys.owner)?);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(expected))
            .with_cert_resolver(Arc::new(resolver));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(OwnerTls(Arc::new(config)))
    }

    pub(super) fn session(&self) -> io::Result<Session> {
        let connection = ServerConnection::new(Arc::clone(&self.0)).map_err(refused)?;
        Ok(Session(Connection::Server(connection)))
    }
}

impl DoorTls {
    /// Of credentials.
    ///
    /// # Errors
    /// Where the keys are of no use.
    pub fn new(credentials: &Credentials) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let expected = Pinned::new(credentials.owner, &provider);
        let resolver = AlwaysResolvesClientRawPublicKeys::new(certified(&credentials.door)?);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(expected))
            .with_client_cert_resolver(Arc::new(resolver));
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(DoorTls(Arc::new(config)))
    }

    pub(super) fn session(&self) -> io::Result<Session> {
        // The key is the name; this one is neither sent nor looked at.
        let name = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
        let connection = ClientConnection::new(Arc::clone(&self.0), name).map_err(refused)?;
        Ok(Session(Connection::Client(connection)))
    }
}

fn signing(secret: &Secret) -> Result<Arc<dyn SigningKey>, TlsError> {
    let key = [&SECRET_START[..], secret.bytes()].concat();
    Ok(ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(key))?)
}

/// The public half of a secret.
///
/// # Errors
/// Where the secret is of no use.
pub fn public_key(secret: &Secret) -> Result<PublicKey, TlsError> {
    let of_no_use = || TlsError::Other(Error::General("this is no key of Ed25519".into()));
    let key = signing(secret)?;
    let whole = key.public_key().ok_or_else(of_no_use)?;
    let bytes = whole.strip_prefix(&PUBLIC_START).ok_or_else(of_no_use)?;
    Ok(PublicKey(<[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| of_no_use())?))
}

fn encoded(key: PublicKey) -> Vec<u8> {
    [&PUBLIC_START[..], &key.0].concat()
}

fn certified(secret: &Secret) -> Result<Arc<CertifiedKey>, TlsError> {
    let public = CertificateDer::from(encoded(public_key(secret)?));
    Ok(Arc::new(CertifiedKey::new(vec![public], signing(secret)?)))
}

/// Takes one key, and no other.
#[derive(Debug)]
struct Pinned {
    key: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn new(key: PublicKey, provider: &Arc<CryptoProvider>) -> Self {
        Pinned { key: encoded(key), provider: Arc::clone(provider) }
    }

    fn look(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        let is_it = shown.as_ref() == self.key;
        let refused = CertificateError::ApplicationVerificationFailure;
        if is_it { Ok(()) } else { Err(Error::InvalidCertificate(refused)) }
    }

    fn verify(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }
}

fn no_such_version() -> Error {
    Error::General("only TLS 1.3 is spoken here".into())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.look(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_such_version())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.look(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_such_version())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// One encrypted connection.
///
/// 1. What was decrypted is given away before more is received, so that nothing is in here when
///    [`Session::receive`] says that nothing is there.
#[derive(Debug)]
pub(super) struct Session(Connection);

impl Session {
    pub(super) fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// Sends what is to be sent, and receives once.
    pub(super) fn advance(&mut self, raw: &mut Raw<'_>) -> io::Result<()> {
        self.flush(raw)?;
        if self.0.is_handshaking() && self.0.read_tls(raw)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.process(raw)?;
        self.flush(raw)
    }

    fn process(&mut self, raw: &mut Raw<'_>) -> io::Result<()> {
        if let Err(error) = self.0.process_new_packets() {
            // The other side is told why, if it listens.
            let _ = self.flush(raw);
            return Err(refused(error));
        }
        Ok(())
    }

    pub(super) fn flush(&mut self, raw: &mut Raw<'_>) -> io::Result<()> {
        while self.0.wants_write() {
            if self.0.write_tls(raw)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    pub(super) fn send(&mut self, raw: &mut Raw<'_>, bytes: &[u8]) -> io::Result<usize> {
        self.flush(raw)?;
        let count = self.0.writer().write(bytes)?;
        match self.flush(raw) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    pub(super) fn receive(&mut self, raw: &mut Raw<'_>, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Frames have lengths: nobody takes a part of one for the whole.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            self.0.read_tls(raw)?;
            self.process(raw)?;
            match self.flush(raw) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }
}
