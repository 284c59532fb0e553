// The WebUI behind the gateway: its address, and what a request to it looks like.

import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { RequestError } from "../../errors.ts";
import { cookieName, isOwnBearer, type Policy } from "../security.ts";

/** The first machine that a packet is lost at says nothing; a WebUI that is there takes a connection at once. */
const connectMs = 10_000;

/** Marks what has been through a gateway: one that leads back to itself would ask itself for ever. */
export const passedHeader = "x-renoir-gateway";

export function parseUpstream(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBare = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search && !url.hash;
  if (isBare && !url.username) return url;
  throw new RequestError(`"${text}" is no address of a WebUI; wanted is scheme, host and port, nothing behind them.`, {
    hint: "Write it as in --upstream http://127.0.0.1:7860.",
  });
}

/** Of one connection only, not of what is sent over it (RFC 9110, 7.6.1). */
const hopByHop = ["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te"];

/** Names and values as they came, in turns: Node's raw headers, which keep order, case and repetitions. */
export type RawHeaders = string[];

export const pairsOf = (raw: RawHeaders): [string, string][] =>
  Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!]);

export function withoutHops(raw: RawHeaders, others: readonly string[] = []): RawHeaders {
  const pairs = pairsOf(raw).map(([name, value]) => [name.toLowerCase(), name, value] as const);
  const named = pairs
    .filter(([key]) => key === "connection")
    .flatMap(([, , value]) => value.toLowerCase().split(/[\s,]+/));
  const gone = new Set([...hopByHop, ...named, ...others]);
  return pairs.filter(([key]) => !gone.has(key)).flatMap(([, name, value]) => [name, value]);
}

/** Everything that the browser or program said, less what is between it and us: our token and cookie. */
export function headersFor(upstream: URL, request: IncomingMessage, policy: Policy): RawHeaders {
  // Upload's framing stays as it is: transfer-encoding is not taken out, and Node frames by it.
  const pairs = pairsOf(withoutHops(request.rawHeaders, ["expect", "upgrade"])).flatMap(([name, value]) => {
    const kept = keep(name.toLowerCase(), value, upstream, request, policy);
    return kept === undefined ? [] : [name, kept];
  });
  return [...pairs, ...forwarded(upstream, request), "X-Renoir-Gateway", "1"];
}

function keep(name: string, value: string, upstream: URL, { headers }: IncomingMessage, policy: Policy) {
  if (name === "authorization") return isOwnBearer(value, policy) ? undefined : value;
  if (name === "cookie") return otherCookies(value, policy);
  if (isNear(upstream)) return value;
  if (name === "host") return upstream.host;
  const isOurs = name === "origin" && URL.canParse(value) && new URL(value).host === headers.host;
  return isOurs ? upstream.origin : value;
}

function otherCookies(value: string, policy: Policy): string | undefined {
  const ours = `${cookieName(policy)}=`;
  const others = value.split(";").filter((pair) => !pair.trim().startsWith(ours));
  return others.join(";").trim() || undefined;
}

/**
 * By its number or as localhost: it is asked by the name that the browser knows, since gradio builds its page's addresses of it and
 * ComfyUI compares it with the page's own. A server behind a name may serve many, so it is asked by its own.
 */
const isNear = ({ hostname }: URL) => hostname === "localhost" || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;

const forwarded = (upstream: URL, { headers }: IncomingMessage): RawHeaders =>
  isNear(upstream) || headers["x-forwarded-host"] !== undefined
    ? []
    : ["X-Forwarded-Host", headers.host ?? "", "X-Forwarded-Proto", "http"];

/** A request of that method and path. It has no time limit once it is connected: a picture takes minutes. */
export function askUpstream(
  upstream: URL,
  options: { method: string; path: string; headers: RawHeaders },
): ClientRequest {
  const { protocol, hostname, port } = upstream;
  const secure = protocol === "https:";
  const whole: RequestOptions = {
    ...options,
    // Node takes raw headers in turns as well, but its types do not know.
    headers: options.headers as unknown as NonNullable<RequestOptions["headers"]>,
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: port || (secure ? 443 : 80),
    agent: false,
  };
  const asking = secure ? httpsRequest({ ...whole, servername: isNear(upstream) ? "" : hostname }) : httpRequest(whole);
  const impatient = setTimeout(
    () => asking.destroy(new Error(`no connection within ${connectMs / 1000} s`)),
    connectMs,
  );
  asking.once("socket", (socket) => socket.once("connect", () => clearTimeout(impatient)));
  asking.once("close", () => clearTimeout(impatient));
  return asking;
}
