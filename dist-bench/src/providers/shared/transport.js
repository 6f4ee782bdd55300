import { RunletError } from '../../core/error.js';
const refused = {
    code: 'network',
    reason: 'connection_refused',
    says: 'refused the connection; is it running?',
};
const unknownHost = { code: 'network', reason: 'host_not_found', says: 'has no address; check the base URL' };
const lost = { code: 'network', reason: 'connection_lost', says: 'closed the connection without an answer' };
const late = { code: 'timeout', reason: 'connect_timeout', says: 'did not take the connection in time' };
const unreachable = { code: 'network', reason: 'unreachable', says: 'cannot be reached from this machine' };
const untrusted = {
    code: 'network',
    reason: 'tls_failed',
    says: 'has no certificate that this machine trusts; check the base URL and the clock, or add the CA (NODE_EXTRA_CA_CERTS)',
    temporary: false,
};
const noHttp = {
    code: 'network',
    reason: 'not_http',
    says: 'does not answer in HTTP; check scheme and port of the base URL',
};
/** What failed between us and a provider, by the `code` of the error that Node or undici threw. */
const meanings = {
    ECONNREFUSED: refused,
    ENOTFOUND: unknownHost,
    EAI_AGAIN: unknownHost,
    ECONNRESET: lost,
    EPIPE: lost,
    UND_ERR_SOCKET: lost,
    UND_ERR_CONNECT_TIMEOUT: late,
    ETIMEDOUT: late,
    EHOSTUNREACH: unreachable,
    ENETUNREACH: unreachable,
    EADDRNOTAVAIL: unreachable,
    CERT_HAS_EXPIRED: untrusted,
    CERT_NOT_YET_VALID: untrusted,
    DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
    SELF_SIGNED_CERT_IN_CHAIN: untrusted,
    UNABLE_TO_GET_ISSUER_CERT: untrusted,
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
    ERR_TLS_CERT_ALTNAME_INVALID: untrusted,
    EPROTO: noHttp,
    ERR_SSL_WRONG_VERSION_NUMBER: noHttp,
    ERR_SSL_PACKET_LENGTH_TOO_LONG: noHttp,
    UND_ERR_HEADERS_OVERFLOW: noHttp,
};
/** The typed error for what was thrown before an answer came. */
export function transportError(peer, cause) {
    const errno = errnoOf(cause);
    const meaning = meanings[errno] ?? (errno.startsWith('HPE_') ? noHttp : undefined);
    const { code, reason, says, temporary } = meaning ?? {
        code: 'network',
        reason: 'request_failed',
        says: 'could not be asked; the details are in the log',
    };
    return new RunletError(code, {
        reason,
        message: `${peer.name} ${says}`,
        provider: peer.provider,
        ...(temporary === undefined ? {} : { temporary }),
        cause,
    });
}
/** The first code that says something: a failed attempt at several addresses hides them one level down. */
function errnoOf(error, depth = 3) {
    if (!(error instanceof Error) || depth === 0)
        return '';
    const { code } = error;
    if (typeof code === 'string' && (Object.hasOwn(meanings, code) || code.startsWith('HPE_')))
        return code;
    const inner = [...(error instanceof AggregateError ? error.errors : []), error.cause];
    return (inner.map((one) => errnoOf(one, depth - 1)).find((found) => found !== '') ?? (typeof code === 'string' ? code : ''));
}
