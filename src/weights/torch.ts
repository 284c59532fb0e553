// What PyTorch's pickles may say, and what it means: the names that rebuild tensors, and those that are harmless to read past.
// After torch/_utils.py, torch/_tensor.py and torch/storage.py of PyTorch 2.13, and torch/csrc/jit/serialization/pickler.cpp.
import type { WeightError } from "../errors.ts";
import type { StoredDType } from "./checkpoint.ts";
import { dtypeNames, dtypeOfStorage, dtypes } from "./dtype.ts";
import { PyName, PyObject, type PyValue } from "./pickle.ts";
import { isCount } from "./tensor.ts";

/** A block of bytes that tensors share: an entry of the archive. */
export class Storage extends PyObject {
  readonly key: string;
  /** Of untyped storages (since PyTorch 2.0 for new dtypes) the tensor says it. */
  readonly dtype: StoredDType | undefined;
  readonly elements: number;
  readonly bytes: number;

  constructor(key: string, dtype: StoredDType | undefined, elements: number) {
    super("torch storage");
    this.key = key;
    this.dtype = dtype;
    this.elements = elements;
    this.bytes = elements * (dtype ? dtypes[dtype].bytes : 1);
  }
}

/** A view of a storage; its numbers are what the file claims and are checked when it is given a place. */
export class TorchTensor extends PyObject {
  readonly storage: Storage;
  readonly dtype: StoredDType;
  readonly skip: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(
    storage: Storage,
    dtype: StoredDType,
    skip: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    super("torch.Tensor");
    this.storage = storage;
    this.dtype = dtype;
    this.skip = skip;
    this.shape = shape;
    this.strides = strides;
  }
}

type Refuse = (why: string) => WeightError;
type Rebuild = (args: PyValue[]) => PyValue;

/** The table of what may be named. `refuse` makes the error of what can be named but not used. */
export function torchNames(refuse: Refuse): (name: string) => PyName | undefined {
  const rebuild = rebuilders(refuse);
  const known = new Map<string, PyName>();
  const add = (name: string, call: Rebuild) => known.set(name, new PyName(name, call));
  for (const [name, call] of Object.entries(rebuild)) add(name, call);
  for (const [name, why] of Object.entries(unusable)) {
    add(name, () => {
      throw refuse(why);
    });
  }
  for (const name of inert) add(name, () => new PyObject(name));
  for (const name of [...storageClasses, ...dtypeClasses]) add(name, () => new PyObject(name));
  // The classes of a TorchScript archive are its own: objects with attributes, some of which are the weights.
  return (name) => known.get(name) ?? (name.startsWith("__torch__.") ? scriptClass(name) : undefined);
}

const scriptClass = (name: string) => new PyName(name, () => new PyObject(name));

/** torch/_utils.py; TorchScript's tensors take the same way. */
function rebuilders(refuse: Refuse): Record<string, Rebuild> {
  const tensor = (
    storage: PyValue | undefined,
    skip: PyValue | undefined,
    shape: PyValue | undefined,
    strides: PyValue | undefined,
    dtype?: StoredDType,
  ) => {
    const type = storage instanceof Storage ? (dtype ?? storage.dtype) : undefined;
    if (!(storage instanceof Storage) || !type || !isCount(skip) || !isCounts(shape) || !isCounts(strides)) {
      throw refuse("rebuilds a tensor from arguments that are no storage, offset, sizes and strides");
    }
    return new TorchTensor(storage, type, skip, shape, strides);
  };
  const from = ([callee, , args]: PyValue[]) => {
    if (callee instanceof PyName && Array.isArray(args)) return callee.call(args);
    throw refuse("rebuilds a tensor by what is not a function");
  };
  return {
    "torch._utils._rebuild_tensor": ([storage, skip, shape, strides]) => tensor(storage, skip, shape, strides),
    "torch._utils._rebuild_tensor_v2": ([storage, skip, shape, strides, , , bits]) => {
      refuseBits(bits, refuse);
      return tensor(storage, skip, shape, strides);
    },
    "torch._utils._rebuild_tensor_v3": ([storage, skip, shape, strides, , , dtype, bits]) => {
      refuseBits(bits, refuse);
      return tensor(storage, skip, shape, strides, dtypeNamed(dtype, refuse));
    },
    "torch._utils._rebuild_parameter": ([data]) => data ?? null,
    "torch._utils._rebuild_parameter_with_state": ([data]) => data ?? null,
    "torch._tensor._rebuild_from_type_v2": from,
    "collections.OrderedDict": ([pairs]) => dictOf(pairs),
    "collections.defaultdict": () => new Map(),
    "torch.Size": ([sizes]) => sizes ?? [],
    "builtins.set": ([items]) => new Set(Array.isArray(items) ? items : []),
    "torch.jit._pickle.build_intlist": ([items]) => items ?? [],
    "torch.jit._pickle.build_doublelist": ([items]) => items ?? [],
    "torch.jit._pickle.build_boollist": ([items]) => items ?? [],
    "torch.jit._pickle.build_tensorlist": ([items]) => items ?? [],
    "torch.jit._pickle.restore_type_tag": ([value]) => value ?? null,
  };
}

const isCounts = (value: PyValue | undefined): value is number[] =>
  Array.isArray(value) && value.every((n) => isCount(n));

/** OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]). */
function dictOf(pairs: PyValue | undefined): Map<PyValue, PyValue> {
  const known = Array.isArray(pairs) ? pairs : [];
  return new Map(known.filter((pair) => Array.isArray(pair)).map(([key = null, value = null]) => [key, value]));
}

function dtypeNamed(value: PyValue | undefined, refuse: Refuse): StoredDType {
  const dtype = value instanceof PyName ? dtypeNames.find((name) => value.name === `torch.${name}`) : undefined;
  if (dtype) return dtype;
  const found = value instanceof PyName ? value.name : "something that is no dtype";
  throw refuse(`has a tensor of ${found}, which can not be read`);
}

/** A tensor's lazy negation or conjugation is not in its bytes. */
function refuseBits(bits: PyValue | undefined, refuse: Refuse): void {
  if (bits instanceof Map && (bits.get("neg") || bits.get("conj")))
    throw refuse("has a tensor whose negation was never carried out");
}

/** What a persistent id stands for: ("storage", class, key, device, elements). */
export function storageOf(id: PyValue, refuse: Refuse): Storage {
  const [word, kind, key, , elements, view = null] = Array.isArray(id) ? id : [];
  if (word !== "storage" || !(kind instanceof PyName) || typeof key !== "string" || !isCount(elements)) {
    throw refuse("refers to something that is not a storage of numbers");
  }
  if (view !== null) throw refuse("has views between storages, as only versions of PyTorch before 0.4 wrote them");
  const className = kind.name.slice(kind.name.lastIndexOf(".") + 1);
  const dtype = dtypeOfStorage.get(className);
  if (/^QU?Int/.test(className)) throw refuse(unusable["torch._utils._rebuild_qtensor"]!);
  if (!dtype && className !== "UntypedStorage") throw refuse(`has a ${kind.name}, whose numbers can not be read`);
  return new Storage(key, dtype, elements);
}

const storageClasses = [
  ...Array.from(dtypeOfStorage.keys(), (name) => `torch.${name}`),
  "torch.storage.UntypedStorage",
  "torch.UntypedStorage",
  ...["ComplexFloat", "ComplexDouble", "QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4"].map(
    (name) => `torch.${name}Storage`,
  ),
];

const dtypeClasses = [
  ...dtypeNames,
  "uint16",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "float8_e4m3fnuz",
  "float8_e5m2fnuz",
  "float8_e8m0fnu",
].map((name) => `torch.${name}`);

/** Tensors of other kinds: their name is no danger, but there is nothing to read in place. */
const unusable: Readonly<Record<string, string>> = {
  "torch._utils._rebuild_sparse_tensor": "holds a sparse tensor, but only dense ones can be used in place",
  "torch._utils._rebuild_sparse_csr_tensor": "holds a sparse tensor, but only dense ones can be used in place",
  "torch._utils._rebuild_qtensor":
    "holds a quantised tensor, but its model's float32, float16 or bfloat16 file is wanted",
  "torch._utils._rebuild_nested_tensor": "holds a nested tensor, but only dense ones can be used in place",
  "torch._utils._rebuild_meta_tensor_no_storage": "holds a tensor on the meta device, which has no numbers",
  "torch._utils._rebuild_device_tensor_from_numpy":
    "holds a tensor of a device that keeps its numbers in NumPy's format",
  "torch._utils._rebuild_device_tensor_from_cpu_tensor": "holds a tensor of a device that keeps its numbers elsewhere",
  "torch._utils._rebuild_wrapper_subclass": "holds a tensor of a class of its own, which has no numbers",
};

/**
 * What training scripts leave beside the weights. An object of these is remembered by name, its arguments and state unread:
 * no constructor runs. The list is closed: a name that is not here may be harmless too, but nobody has looked.
 */
const inert = [
  "argparse.Namespace",
  "builtins.bytearray",
  "builtins.complex",
  "builtins.dict",
  "builtins.float",
  "builtins.frozenset",
  "builtins.int",
  "builtins.list",
  "builtins.object",
  "builtins.slice",
  "builtins.str",
  "builtins.tuple",
  "_codecs.encode", // how protocol 2 writes bytes: encode(text, "latin1")
  "collections.Counter",
  "copyreg._reconstructor", // how protocols 0 and 1 write any object
  "datetime.datetime",
  "datetime.timedelta",
  "lightning.pytorch.callbacks.early_stopping.EarlyStopping",
  "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
  "numpy._core.multiarray._reconstruct",
  "numpy._core.multiarray.scalar",
  "numpy.core.multiarray._reconstruct",
  "numpy.core.multiarray.scalar",
  "numpy.dtype",
  "numpy.dtypes.Float32DType",
  "numpy.dtypes.Float64DType",
  "numpy.dtypes.Int64DType",
  "numpy.float32",
  "numpy.float64",
  "numpy.int64",
  "numpy.ndarray",
  "omegaconf.base.ContainerMetadata",
  "omegaconf.base.Metadata",
  "omegaconf.dictconfig.DictConfig",
  "omegaconf.listconfig.ListConfig",
  "omegaconf.nodes.AnyNode",
  "pathlib.PosixPath",
  "pathlib.PurePosixPath",
  "pathlib.PureWindowsPath",
  "pathlib.WindowsPath",
  "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
  "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
  "pytorch_lightning.utilities.parsing.AttributeDict",
  "torch.Tensor",
  "torch.device",
  "torch.nn.parameter.Parameter",
  "torch.serialization._get_layout",
  "torch.strided",
  "typing.Any",
];
