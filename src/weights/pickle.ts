// A reader of pickles, protocols 0 to 5, that runs nothing. https://docs.python.org/3/library/pickletools.html has every opcode's meaning.
//
// A pickle is a program for a stack machine; its danger is that it may name any Python function and call it. Here a name is
// looked up in a table of the caller's, and one that is not in it ends the reading. Nothing outside that table is ever called.
import type { WeightError } from "../errors.ts";
import { ByteReader } from "./byteReader.ts";

/** ImageReward's is 0.2 MB, SDXL's 0.6 MB; a pickle of a hundred times that holds something else than names of tensors. */
export const MAX_PICKLE_BYTES = 64 * 2 ** 20;
/** About 60 opcodes describe a tensor: this is room for the 2^18 tensors that a checkpoint may have. */
export const MAX_OPCODES = 2 ** 24;
/** Of the stack and of the memo: each entry costs memory here that the file need not have paid for. */
export const MAX_STACK = 2 ** 21;
export const MAX_MEMO = 2 ** 22;
/** Reading a whole number of n digits takes n^2 steps; the longest in a checkpoint is the 20 of a random seed. */
export const MAX_DIGITS = 1000;

export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyValue[]
  | Map<PyValue, PyValue>
  | Set<PyValue>
  | PyName
  | PyObject;

/** A Python name that the caller's table allows, and what calling it means here. */
export class PyName {
  readonly name: string;
  readonly call: (args: PyValue[]) => PyValue;

  constructor(name: string, call: (args: PyValue[]) => PyValue) {
    this.name = name;
    this.call = call;
  }
}

/** Anything that is neither a plain value nor a container: subclassed by the caller for what it understands. */
export class PyObject {
  readonly className: string;
  state: PyValue = null;

  constructor(className: string) {
    this.className = className;
  }
}

export interface PickleHost {
  /** Begins every message, as in `the pickle in x.pt`. */
  readonly where: string;
  /** What "module.name" stands for, or undefined where it may not be named. */
  find(name: string): PyName | undefined;
  /** What a persistent id stands for: PyTorch's storages. */
  persistent(id: PyValue): PyValue;
}

/** The value that the pickle at `start` describes, and where the next byte after it is. */
export function readPickle(bytes: Uint8Array, host: PickleHost, start = 0): { value: PyValue; end: number } {
  const machine = new Machine(new ByteReader(bytes, start, host.where), host);
  for (let step = 0; step < MAX_OPCODES; step++) {
    if (machine.step()) return { value: machine.pop(), end: machine.input.position };
  }
  throw machine.error(`has more than ${MAX_OPCODES} opcodes`);
}

class Machine {
  readonly input: ByteReader;
  readonly host: PickleHost;
  stack: PyValue[] = [];
  /** What lay on the stack when each MARK came. */
  readonly marks: PyValue[][] = [];
  readonly memo = new Map<number, PyValue>();
  /** Entries on the stacks below the marks. */
  private below = 0;

  constructor(input: ByteReader, host: PickleHost) {
    this.input = input;
    this.host = host;
  }

  /** Runs one opcode; true at STOP. */
  step(): boolean {
    const opcode = this.input.byte();
    if (opcode === STOP) return true;
    const run = opcodes[opcode];
    if (!run) throw this.error(`has the byte 0x${opcode.toString(16).padStart(2, "0")} where an opcode was wanted`);
    run(this);
    return false;
  }

  error(why: string): WeightError {
    return this.input.error(why);
  }

  push(value: PyValue): void {
    this.stack.push(value);
    if (this.stack.length + this.below > MAX_STACK) throw this.error(`piles up more than ${MAX_STACK} values`);
  }

  pop(): PyValue {
    const value = this.stack.pop();
    if (value === undefined) throw this.error("takes a value from an empty stack");
    return value;
  }

  top(): PyValue {
    const value = this.stack.at(-1);
    if (value === undefined) throw this.error("uses the top of an empty stack");
    return value;
  }

  mark(): void {
    this.marks.push(this.stack);
    this.below += this.stack.length + 1;
    this.stack = [];
    if (this.below > MAX_STACK) throw this.error(`piles up more than ${MAX_STACK} values`);
  }

  popMark(): PyValue[] {
    const values = this.stack;
    const outer = this.marks.pop();
    if (!outer) throw this.error("goes back to a mark that it never set");
    this.stack = outer;
    this.below -= outer.length + 1;
    return values;
  }

  put(index: number): void {
    this.memo.set(index, this.top());
    if (this.memo.size > MAX_MEMO) throw this.error(`remembers more than ${MAX_MEMO} values`);
  }

  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.error(`recalls value ${index}, which it never stored`);
    this.push(value);
  }

  args(value = this.pop()): PyValue[] {
    if (Array.isArray(value)) return value;
    throw this.error("calls something with arguments that are not a tuple");
  }

  text(value = this.pop()): string {
    if (typeof value === "string") return value;
    throw this.error("names something by what is not a string");
  }

  /** Python 2's names of modules are the ones Python 3 gives them. */
  find(module: string, name: string): PyName {
    const full = `${renamedModules.get(module) ?? module}.${name}`;
    const found = this.host.find(full);
    if (found) return found;
    throw this.refusal(`names "${full}", which rebuilds no tensor`);
  }

  refusal(why: string): WeightError {
    return this.input.error(
      `${why}: it could run anything, so the file was refused unread`,
      "Use the model's .safetensors file, or a checkpoint that holds its state_dict alone.",
    );
  }

  /** What REDUCE, NEWOBJ, INST and OBJ do: only ever what the caller's table says. */
  call(callee: PyValue, args: PyValue[]): void {
    if (!(callee instanceof PyName)) throw this.error("calls something that is not a name");
    this.push(callee.call(args));
  }
}

const renamedModules = new Map([
  ["__builtin__", "builtins"],
  ["copy_reg", "copyreg"],
]);

const STOP = 0x2e;

type Run = (m: Machine) => void;

/** A run that pushes what it reads. */
const pushes =
  (read: (input: ByteReader, m: Machine) => PyValue): Run =>
  (m) =>
    m.push(read(m.input, m));

/** A run that replaces the n topmost values by the tuple of them. */
const tuple =
  (n: number): Run =>
  (m) => {
    const values = Array.from({ length: n }, () => m.pop());
    m.push(values.reverse());
  };

const extension =
  (read: (input: ByteReader) => number): Run =>
  (m) => {
    throw m.refusal(`names something by the extension code ${read(m.input)}`);
  };

/** By opcode; the comment is pickletools' name. */
const opcodes: Readonly<Record<number, Run>> = {
  40: (m) => m.mark(), //                                                     MARK
  48: (m) => (m.stack.length ? m.pop() : m.popMark()), //                     POP
  49: (m) => m.popMark(), //                                                  POP_MARK
  50: (m) => m.push(m.top()), //                                              DUP
  128: (m) => checkProtocol(m, m.input.byte()), //                             PROTO
  149: (m) => m.input.checkLeft(m.input.u64()), //                             FRAME

  // Plain values
  78: pushes(() => null), //                                                  NONE
  136: pushes(() => true), //                                                  NEWTRUE
  137: pushes(() => false), //                                                 NEWFALSE
  73: pushes((input, m) => decimalInt(m, input.line())), //                   INT
  76: pushes((input, m) => whole(m, input.line().replace(/L$/, ""))), //      LONG
  70: pushes((input, m) => decimalFloat(m, input.line())), //                 FLOAT
  75: pushes((input) => input.byte()), //                                     BININT1
  77: pushes((input) => input.u16()), //                                      BININT2
  74: pushes((input) => input.i32()), //                                      BININT
  138: pushes((input, m) => littleEndian(m, input.byte())), //                 LONG1
  139: pushes((input, m) => littleEndian(m, input.u32())), //                  LONG4
  71: pushes((input) => input.f64()), //                                      BINFLOAT
  83: pushes((input) => unquote(input.line())), //                            STRING
  85: pushes((input) => input.latin1(input.byte())), //                       SHORT_BINSTRING
  84: pushes((input) => input.latin1(input.u32())), //                        BINSTRING
  86: pushes((input) => unescapeUnicode(input.line())), //                           UNICODE
  140: pushes((input) => input.utf8(input.byte())), //                         SHORT_BINUNICODE
  88: pushes((input) => input.utf8(input.u32())), //                          BINUNICODE
  141: pushes((input) => input.utf8(input.u64())), //                          BINUNICODE8
  67: pushes((input) => input.take(input.byte())), //                         SHORT_BINBYTES
  66: pushes((input) => input.take(input.u32())), //                          BINBYTES
  142: pushes((input) => input.take(input.u64())), //                          BINBYTES8
  150: pushes((input) => input.take(input.u64())), //                          BYTEARRAY8
  151: (m) => {
    throw m.error("wants a buffer from outside the file"); //                   NEXT_BUFFER
  },
  152: () => {}, //                                                            READONLY_BUFFER

  // Containers
  41: pushes(() => []), //                                                    EMPTY_TUPLE
  133: tuple(1), //                                                            TUPLE1
  134: tuple(2), //                                                            TUPLE2
  135: tuple(3), //                                                            TUPLE3
  116: (m) => m.push(m.popMark()), //                                          TUPLE
  93: pushes(() => []), //                                                    EMPTY_LIST
  108: (m) => m.push(m.popMark()), //                                          LIST
  125: pushes(() => new Map()), //                                             EMPTY_DICT
  100: (m) => {
    const items = m.popMark();
    m.push(new Map());
    setItems(m, items); //                                                      DICT
  },
  143: pushes(() => new Set()), //                                             EMPTY_SET
  145: (m) => m.push(new Set(m.popMark())), //                                 FROZENSET
  97: (m) => append(m, [m.pop()]), //                                         APPEND
  101: (m) => append(m, m.popMark()), //                                       APPENDS
  115: (m) => {
    const value = m.pop();
    setItems(m, [m.pop(), value]); //                                           SETITEM
  },
  117: (m) => setItems(m, m.popMark()), //                                     SETITEMS
  144: (m) => addItems(m, m.popMark()), //                                     ADDITEMS

  // The memo
  112: (m) => m.put(memoIndex(m, m.input.line())), //                          PUT
  113: (m) => m.put(m.input.byte()), //                                        BINPUT
  114: (m) => m.put(m.input.u32()), //                                         LONG_BINPUT
  148: (m) => m.put(m.memo.size), //                                           MEMOIZE
  103: (m) => m.get(memoIndex(m, m.input.line())), //                          GET
  104: (m) => m.get(m.input.byte()), //                                        BINGET
  106: (m) => m.get(m.input.u32()), //                                         LONG_BINGET

  // Names, and what is made by calling them
  99: (m) => m.push(m.find(m.input.line(), m.input.line())), //               GLOBAL
  147: (m) => {
    const name = m.text();
    m.push(m.find(m.text(), name)); //                                          STACK_GLOBAL
  },
  130: extension((input) => input.byte()), //                                  EXT1
  131: extension((input) => input.u16()), //                                   EXT2
  132: extension((input) => input.u32()), //                                   EXT4
  82: (m) => {
    const args = m.args();
    m.call(m.pop(), args); //                                                   REDUCE
  },
  129: (m) => {
    const args = m.args();
    m.call(m.pop(), args); //                                                   NEWOBJ
  },
  146: (m) => {
    m.pop(); // keyword arguments: no constructor here has any
    const args = m.args();
    m.call(m.pop(), args); //                                                   NEWOBJ_EX
  },
  105: (m) => {
    const name = m.find(m.input.line(), m.input.line());
    m.call(name, m.popMark()); //                                               INST
  },
  111: (m) => {
    const [name, ...args] = m.popMark();
    m.call(name ?? null, args); //                                              OBJ
  },
  98: (m) => build(m, m.pop()), //                                            BUILD
  80: (m) => m.push(m.host.persistent(m.input.line())), //                    PERSID
  81: (m) => m.push(m.host.persistent(m.pop())), //                           BINPERSID
};

function checkProtocol(m: Machine, protocol: number): void {
  if (protocol > 5) throw m.error(`is of protocol ${protocol}, but the newest known is 5`);
}

function append(m: Machine, items: PyValue[]): void {
  const list = m.top();
  if (list instanceof PyObject) return; // as in setItems
  if (!Array.isArray(list)) throw m.error("appends to what is not a list");
  for (const item of items) list.push(item);
}

function addItems(m: Machine, items: PyValue[]): void {
  const set = m.top();
  if (!(set instanceof Set)) throw m.error("adds to what is not a set");
  for (const item of items) set.add(item);
}

function setItems(m: Machine, items: PyValue[]): void {
  const dict = m.top();
  // Objects that are a kind of dict may be filled too, but nobody looks into them.
  if (dict instanceof PyObject) return;
  if (!(dict instanceof Map)) throw m.error("sets an item of what is not a dict");
  if (items.length % 2) throw m.error("sets a key without a value");
  for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
}

/** Python would call __setstate__; here an object remembers its state, and what a container has beside its items is dropped. */
function build(m: Machine, state: PyValue): void {
  const object = m.top();
  if (object instanceof PyObject) object.state = state;
  else if (typeof object !== "object" || object === null) throw m.error("gives a state to a plain value");
}

function memoIndex(m: Machine, line: string): number {
  if (/^\d{1,9}$/.test(line)) return Number(line);
  throw m.error(`has "${line.slice(0, 20)}" where the number of a stored value was wanted`);
}

/** Protocol 0 writes True as 01 and False as 00. */
function decimalInt(m: Machine, line: string): PyValue {
  if (line === "01") return true;
  return line === "00" ? false : whole(m, line);
}

function whole(m: Machine, digits: string): number | bigint {
  if (digits.length > MAX_DIGITS) throw m.error(`has a number of ${digits.length} digits`);
  if (!/^[-+]?\d+$/.test(digits)) throw m.error(`has "${digits.slice(0, 20)}" where a whole number was wanted`);
  return narrow(BigInt(digits.replace("+", "")));
}

function decimalFloat(m: Machine, line: string): number {
  const value = Number(line.replace(/inf$/, "Infinity"));
  if (line.trim() && (!Number.isNaN(value) || line === "nan")) return value;
  throw m.error(`has "${line.slice(0, 20)}" where a number was wanted`);
}

/** Two's complement, least significant byte first; no bytes are 0. */
function littleEndian(m: Machine, length: number): number | bigint {
  if (length > MAX_DIGITS) throw m.error(`has a number of ${length} bytes`);
  let value = 0n;
  for (const byte of m.input.take(length).toReversed()) value = value * 256n + BigInt(byte);
  return narrow(BigInt.asIntN(8 * length, value));
}

const narrow = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

const named: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0",
};

/** repr() of a Python 2 string. */
const unquote = (line: string) =>
  line
    .trim()
    .replace(/^(['"])(.*)\1$/s, "$2")
    .replace(/\\(?:x([0-9a-f]{2})|(.))/gis, (_, hex, other) => (hex ? codePoint(hex) : (named[other] ?? other)));

/** Python's raw-unicode-escape: only \u and \U are escapes. */
const unescapeUnicode = (line: string) =>
  line.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (whole, short, long) => codePoint(short ?? long, whole));

function codePoint(hex: string, otherwise = ""): string {
  const code = Number.parseInt(hex, 16);
  return code > 0x10ffff ? otherwise : String.fromCodePoint(code);
}
