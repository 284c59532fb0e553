// Who may ask. A server on localhost is reached by every page that a browser has open: a page of a stranger may send requests to it
// (cross-site requests), or have its own name answer with 127.0.0.1 (DNS rebinding, https://en.wikipedia.org/wiki/DNS_rebinding).

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import type { RequestHandler } from "express";
import { RequestError } from "../errors.ts";
import { ForbiddenError, UnauthorizedError } from "./errors.ts";

export interface Policy {
  /** The address that the server listens on, as it was given. */
  readonly host: string;
  /** Pages of other servers that may ask: a host's own, as http://127.0.0.1:7860. */
  readonly origins: readonly string[];
  readonly token?: string | undefined;
  /** Cookies know no ports: two servers of one machine need two names. */
  readonly port: number;
}

const loopback = ["localhost", "127.0.0.1", "[::1]"];
const everywhere = ["0.0.0.0", "::", "[::]", ""];

const bracketed = (host: string) => (isIP(host) === 6 ? `[${host}]` : host.toLowerCase());
const isLoopback = (host: string) => loopback.includes(bracketed(host)) || /^127\.\d+\.\d+\.\d+$/.test(host);

/** Before anything listens: an address that others can reach is opened to those who know the token only. */
export function checkPolicy({ host, token }: Pick<Policy, "host" | "token">): void {
  if (isLoopback(host) || token) return;
  throw new RequestError(`--host ${host} lets other machines reach Renoir, and no token was given.`, {
    hint: "Set RENOIR_TOKEN, or add --token, with a long secret of your own; without --host only this machine is served, and needs none.",
  });
}

/** As browsers send it: scheme, host and port, nothing after them. */
export function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search && !url.hash) return url.origin;
  throw new RequestError(`"${text}" is no origin; wanted is what stands before a page's path.`, {
    hint: "Write it as in --allow-origin http://127.0.0.1:7860.",
  });
}

// ---- Host: which name the asker believes to speak to

export function checkHost(headers: IncomingHttpHeaders, policy: Policy): void {
  const name = nameOf(headers.host);
  if (name !== undefined && isOurs(name, policy)) return;
  throw new ForbiddenError(`This server is not called "${headers.host ?? ""}".`, {
    hint: `Use http://${policy.port ? `127.0.0.1:${policy.port}` : "127.0.0.1"}, or start with --host or --allow-origin for another name.`,
  });
}

function nameOf(host: string | undefined): string | undefined {
  const url = host && /^[\w.:[\]-]+$/.test(host) ? `http://${host}` : "";
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function isOurs(name: string, { host, origins }: Policy): boolean {
  if (loopback.includes(name) || name === bracketed(host)) return true;
  if (origins.some((origin) => new URL(origin).hostname === name)) return true;
  // An address can not be made to point elsewhere; of names, only the machine's own.
  return everywhere.includes(host) && (isIP(name.replace(/^\[|\]$/g, "")) !== 0 || machineNames().includes(name));
}

const machineNames = () => [hostname().toLowerCase(), `${hostname().toLowerCase()}.local`];

// ---- Origin: which page asks. Programs that are no browsers send neither header.

export function checkOrigin(headers: IncomingHttpHeaders, policy: Policy): void {
  const { origin, "sec-fetch-site": site } = headers;
  if (origin === undefined ? !site || site === "same-origin" || site === "none" : isWelcome(origin, headers, policy)) {
    return;
  }
  throw new ForbiddenError(`A page of ${origin ?? "another site"} may not ask this server.`, {
    hint: "If that page is yours, start Renoir with --allow-origin and its address, as in --allow-origin http://127.0.0.1:7860.",
  });
}

const isWelcome = (origin: string, headers: IncomingHttpHeaders, policy: Policy) =>
  policy.origins.includes(origin) || (URL.canParse(origin) && new URL(origin).host === headers.host);

// ---- the token

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Of hashes: they have one length, and how long the comparing takes tells nothing of the token. */
const isSame = (given: string, wanted: string) => timingSafeEqual(digest(given), digest(wanted));

export const cookieName = ({ port }: Policy) => `renoir-${port}`;
/** The cookie opens this server, but can not be turned back into what its owner may use elsewhere too. */
const cookieValue = (token: string) => createHmac("sha256", token).update("renoir cookie").digest("hex");

/** Any of the ways to say it: `Authorization: Bearer`, a handshake's own, or the cookie that the page was given. */
export function isAuthorised(headers: IncomingHttpHeaders, policy: Policy, given?: unknown): boolean {
  if (!policy.token) return true;
  if (isOwnBearer(headers.authorization ?? "", policy) || isSame(typeof given === "string" ? given : "", policy.token))
    return true;
  return isSame(cookieOf(headers, cookieName(policy)) ?? "", cookieValue(policy.token));
}

/** Whether an Authorization says our token: another is for whoever lies behind the gateway. */
export function isOwnBearer(authorization: string, { token }: Policy): boolean {
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  return token !== undefined && bearer !== undefined && isSame(bearer, token);
}

function cookieOf({ cookie = "" }: IncomingHttpHeaders, name: string): string | undefined {
  const pair = cookie.split(";").find((pair) => pair.trim().startsWith(`${name}=`));
  return pair?.trim().slice(name.length + 1);
}

export const unauthorised = () =>
  new UnauthorizedError("This server answers only to those who know its token.", {
    hint: "Send it as `Authorization: Bearer TOKEN`, or open the page once with ?token=TOKEN behind its address.",
  });

// ---- all of it, before every request

const changesNothing = new Set(["GET", "HEAD", "OPTIONS"]);

export const guard =
  (policy: Policy): RequestHandler =>
  (request, response, next) => {
    checkHost(request.headers, policy);
    if (!changesNothing.has(request.method)) checkOrigin(request.headers, policy);
    if (request.method === "OPTIONS") return next();
    const given = takeToken(request);
    if (!isAuthorised(request.headers, policy, given)) throw unauthorised();
    if (given === undefined || !policy.token) return next();
    const settings = { httpOnly: true, sameSite: "strict", path: "/", secure: request.secure } as const;
    response.cookie(cookieName(policy), cookieValue(policy.token), settings);
    // A browser's address bar and history should not go on showing the token.
    if (request.method === "GET" && request.accepts(["json", "html"]) === "html") response.redirect(303, request.url);
    else next();
  };

/** `?token=` leaves the address before anything else sees or logs it. */
function takeToken(request: { url: string }): string | undefined {
  const url = new URL(request.url, "http://x");
  const token = url.searchParams.get("token");
  if (token === null) return undefined;
  url.searchParams.delete("token");
  // Two slashes would be another server's name to a browser that is sent there.
  request.url = `${url.pathname.replace(/^\/+/, "/")}${url.search}`;
  return token;
}

/** Only for the pages that were named at the start: others get no word of CORS, and so browsers keep our answers from them. */
export const allowOrigins =
  ({ origins }: Policy): RequestHandler =>
  (request, response, next) => {
    const { origin } = request.headers;
    if (origins.length > 0) response.vary("Origin");
    const allowed = origin !== undefined && origins.includes(origin);
    if (allowed) {
      response.set({ "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After, Location" });
      response.set("Cross-Origin-Resource-Policy", "cross-origin");
    }
    if (request.method !== "OPTIONS") return next();
    if (allowed) {
      response.set({
        "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Renoir-Client",
        "Access-Control-Allow-Private-Network": "true",
        "Access-Control-Max-Age": "600",
      });
    }
    response.status(204).end();
  };
