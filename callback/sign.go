package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// A secret's size, in bytes (Standard Webhooks 1.0.0, "Signature scheme").
const (
	minSecret = 24
	maxSecret = 64
)

// secretPrefix is how a secret begins where people see it.
const secretPrefix = "whsec_"

// ParseSecret reads a secret as Standard Webhooks writes it: "whsec_", which may be left out, and 24 to 64 bytes in
// base64. The error does not repeat the secret.
func ParseSecret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil {
		return nil, fmt.Errorf("callback: the secret is not base64 behind %q: make one with `echo whsec_$(openssl rand -base64 32)`", secretPrefix)
	}
	if len(secret) < minSecret || len(secret) > maxSecret {
		return nil, fmt.Errorf("callback: the secret has %d bytes, and must have %d to %d: make one with `echo whsec_$(openssl rand -base64 32)`",
			len(secret), minSecret, maxSecret)
	}
	return secret, nil
}

// sign is the value of webhook-signature: for each secret "v1," and the base64 of HMAC-SHA256 over id.timestamp.body.
func sign(secrets [][]byte, id, timestamp string, body []byte) string {
	signatures := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}
