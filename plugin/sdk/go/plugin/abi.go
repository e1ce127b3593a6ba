package plugin

// #include "abi.h"
import "C"

import "unsafe"

// sealerGoServe is what the functions of the C struct `Plugin` call; see abi.c.
//
//export sealerGoServe
func sealerGoServe(
	verb *C.char, request *C.uint8_t, size C.size_t, host *C.struct_sealer_host,
	write C.sealer_write, sink unsafe.Pointer,
) C.int32_t {
	send := func(request []byte) ([]byte, error) { return call(host, request) }
	status, written := serveExported(C.GoString(verb), copied(request, size), send)
	if len(written) > 0 {
		C.sealer_go_write(write, sink, (*C.uint8_t)(&written[0]), C.size_t(len(written)))
	}
	return C.int32_t(status)
}

// call asks sealer. The request is never empty.
func call(host *C.struct_sealer_host, request []byte) ([]byte, error) {
	var reply C.struct_sealer_go_bytes
	status := C.sealer_go_call(host, (*C.uint8_t)(&request[0]), C.size_t(len(request)), &reply)
	defer C.free(unsafe.Pointer(reply.data))
	if status != 0 {
		return nil, errGone
	}
	return copied(reply.data, reply.size), nil
}

// copied returns bytes of C as bytes of Go.
func copied(data *C.uint8_t, size C.size_t) []byte {
	if size == 0 {
		return nil
	}
	return append([]byte(nil), unsafe.Slice((*byte)(data), int(size))...)
}
