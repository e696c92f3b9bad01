-- Keys that nobody knows, for the question which of them most webhooks wait for (R10).
CREATE INDEX keys_unknown ON keys (app, waiting, waiting_since) WHERE waiting > 0 AND jwk IS NULL;
