"""People who sign in without a key: by an OpenID Connect provider, by a directory, or by a proxy that knows them."""
