//! TLS by rustls, with its failures in words that say what to do.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig, RootCertStore};

use crate::error::{Error, Result};
use crate::options::ClientBuilder;
use crate::transport::{ConnectFailure, Io};

/// Whom to trust, and which name the certificate has to be for.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    pub(crate) fn new(options: &ClientBuilder) -> Result<Self> {
        let name = options.server_name.as_deref().unwrap_or(&options.host);
        let name = ServerName::try_from(name.to_owned()).map_err(|error| {
            Error::argument_of(format!("endpoint: {name:?} is no name of a server: {error}"), error)
        })?;
        // The provider by name: two of them in one program would need a process-wide choice, which is not a library's.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::argument_of(format!("TLS cannot be used: {error}"), error))?
            .with_root_certificates(roots(options)?);
        let mut config = match &options.client_certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, key) = identity(certificate, key)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error.to_string()))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub(crate) async fn handshake(&self, tcp: TcpStream) -> io::Result<Box<dyn Io>> {
        let stream = self.connector.connect(self.name.clone(), tcp).await?;
        Ok(Box::new(stream))
    }
}

fn roots(options: &ClientBuilder) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(path) = &options.ca_file else {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::debug!("a certificate of the system cannot be read: {error}");
        }
        store.add_parsable_certificates(system.certs);
        return Ok(store);
    };
    let (added, _) = store.add_parsable_certificates(certificates("ca_file", path)?);
    if added == 0 {
        return Err(Error::argument(format!("ca_file {} holds no PEM certificate that can be used", path.display())));
    }
    Ok(store)
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = std::fs::read(path)
        .map_err(|error| Error::argument_of(format!("{option} {} cannot be read: {error}", path.display()), error))?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<std::result::Result<Vec<_>, _>>();
    let found = found
        .map_err(|error| Error::argument_of(format!("{option} {} is no PEM file: {error}", path.display()), error))?;
    if found.is_empty() {
        return Err(Error::argument(format!("{option} {} holds no PEM certificate", path.display())));
    }
    Ok(found)
}

fn identity(certificate: &Path, key: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = certificates("client_certificate_file", certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&error.to_string()))?;
    Ok((chain, key))
}

fn unusable(cause: &str) -> Error {
    Error::argument(format!("client_certificate_file and client_key_file cannot be used: {cause}"))
}

/// What a failed handshake means; none where it was not TLS that failed.
pub(crate) fn failure(error: &io::Error) -> Option<ConnectFailure> {
    let tls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let (reason, remedy) = match tls {
        rustls::Error::InvalidCertificate(certificate) => of_certificate(certificate),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => (
            "CLIENT_CERTIFICATE_REQUIRED",
            "this gateway wants a client certificate (client_certificate, --client-cert, --client-key)",
        ),
        rustls::Error::InvalidMessage(_) => {
            ("NOT_TLS", "the port does not speak TLS; ask for plaintext by name (plaintext, --plaintext)")
        }
        _ => return Some(ConnectFailure::new("", tls.to_string())),
    };
    Some(ConnectFailure::new(reason, format!("{remedy}: {tls}")))
}

fn of_certificate(error: &CertificateError) -> (&'static str, &'static str) {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("CERTIFICATE_EXPIRED", "the gateway's certificate has ended, or this machine's clock is wrong")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("CERTIFICATE_EXPIRED", "the gateway's certificate is not valid yet, or this machine's clock is wrong")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            "CERTIFICATE_FOR_ANOTHER_NAME",
            "the certificate is for another name; use that name or server_name_override",
        ),
        _ => (
            "CERTIFICATE_NOT_TRUSTED",
            "the CA file (ca_file, --ca-file) has to be the authority that signed this gateway's certificate",
        ),
    }
}
