"""The certificate of the TLS endpoint: the operator's, or one of a small authority that the gateway keeps itself."""
