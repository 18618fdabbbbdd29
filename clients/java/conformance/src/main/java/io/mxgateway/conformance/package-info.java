/** The subject of the conformance suite. */
@NullMarked
package io.mxgateway.conformance;

import org.jspecify.annotations.NullMarked;
