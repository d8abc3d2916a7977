// In place of node's Buffer, which one package asks for although no browser has it.
exports.Buffer = { isBuffer: () => false };
