//! What administrators do: apps, keys, users, passwords, revocation. Called by the HTTP API, which checks who asks.
