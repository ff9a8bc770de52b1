// What is remembered of the file that a model was decoded from: where the message of each IR object stands and what the
// object looked like then. The encoder compares the two, so nothing has to be marked as changed, and a rolled back change
// is no change. Not part of the public API except for the facts in `OnnxDocument`.
import type { Attribute, AttributeMap } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { LocalFunction } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Initializer, Value, ValueType } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';
import type { FieldSpan, Source } from './wire.js';

/** Facts about the file that the IR does not hold. */
export interface OnnxHeader {
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: number;
  readonly docString: string;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The file a model came from. Give it to the encoder together with the model. */
export interface OnnxDocument {
  /** Bytes of the model file (external data not counted). */
  readonly byteLength: number;
  readonly header: OnnxHeader;
  /** Some tensors stand in other files. */
  readonly hasExternalData: boolean;
  /** Paths of those files. */
  readonly dataFiles: readonly string[];
  /** These files, as the model names them. */
  readonly externalFiles: readonly string[];
  /** The file holds training_info. The values it names are outputs of `Model.outside`, so that passes keep them. */
  readonly hasTraining: boolean;
  /** Weights that the file lists as graph inputs too, as IR versions before 4 demand, and that the model holds as constants. */
  readonly weightInputs: ReadonlySet<Value>;
  /** For the encoder. */
  readonly records: Records;
}

export interface Records {
  /** What the records' offsets refer to. */
  readonly source: Source;
  /** The bytes as they were given: other than those of `source` where split messages had to be joined. */
  readonly file: Source;
  readonly model: ModelRecord;
  readonly graphs: ReadonlyMap<Graph, GraphRecord>;
  readonly nodes: ReadonlyMap<Node, NodeRecord>;
  readonly attributes: ReadonlyMap<Attribute, FieldSpan>;
  /** Fields that hold a TensorProto: initializers, and attributes' t and tensors. */
  readonly tensors: ReadonlyMap<Tensor, TensorRecord>;
  /** Values of the file, with the name and type that they had. */
  readonly values: readonly ValueRecord[];
}

export interface ModelRecord {
  readonly irVersion: number;
  readonly functions: readonly LocalFunction[];
  readonly opsetFields: ReadonlyMap<string, FieldSpan>;
}

export interface ValueRecord {
  readonly value: Value;
  readonly name: string;
  readonly type: ValueType | undefined;
}

/** What a node can change in; its name and operator are for life. */
export interface NodeRecord {
  readonly field: FieldSpan;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly attributes: AttributeMap;
}

export interface TensorRecord {
  readonly field: FieldSpan;
  readonly name: string;
  readonly isExternal: boolean;
}

/** A ValueInfoProto, or the name of a function's input or output; `value` is undefined where the name stands for nothing. */
export interface ValueField {
  readonly field: FieldSpan;
  readonly name: string;
  readonly type: ValueType | undefined;
  readonly value: Value | undefined;
}

export interface InitializerField {
  readonly field: FieldSpan;
  readonly value: Value;
  /** As it was; undefined when the entry says nothing about the value (see `decodeInitializers`). */
  readonly initializer: Initializer | undefined;
}

export interface AnnotationField {
  readonly field: FieldSpan;
  readonly value: Value | undefined;
  /** Values that hold scale, zero point and the like, by the index of the entry. */
  readonly parameters: readonly (Value | undefined)[];
}

/** The fields of a GraphProto, or of the body of a FunctionProto, in the order of the file. */
export interface GraphRecord {
  readonly field: FieldSpan;
  /** In the order of the IR, which is that of the file unless the file is not sorted. */
  readonly nodes: readonly Node[];
  /** Inputs of the IR, and of the main graph also the weights that are listed as inputs. */
  readonly inputs: readonly ValueField[];
  readonly outputs: readonly ValueField[];
  readonly initializers: readonly InitializerField[];
  readonly sparseInitializers: readonly InitializerField[];
  readonly valueInfo: readonly ValueField[];
  readonly annotations: readonly AnnotationField[];
}
