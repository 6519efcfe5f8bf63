# frozen_string_literal: true

require "socket"
require_relative "failure"

module Railsbench
  # A connection to a web server on this machine that asks for one page after another. It knows as
  # much of HTTP/1.1 as that needs: status, length or chunks, and keep-alive.
  class HttpConnection
    # The status, and the body's length in bytes.
    Response = Struct.new(:status, :length, :body, keyword_init: true)

    def self.request_for(path, accept: "*/*")
      "GET #{path} HTTP/1.1\r\nHost: bookshop.example\r\nUser-Agent: railsbench\r\n" \
        "Accept: #{accept}\r\n\r\n"
    end

    def initialize(port)
      @socket = TCPSocket.new("127.0.0.1", port)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      @reusable = true
    end

    # Whether the server keeps the connection open for another request.
    def reusable?
      @reusable
    end

    def get(request)
      @socket.write(request)
      status = read_status
      length, chunked = read_headers
      body = chunked ? read_chunks : read_exactly(length || refuse("has neither length nor chunks"))
      Response.new(status: status, length: body.bytesize, body: body)
    end

    def close
      @socket.close
    end

    private

    def read_status
      line = read_line
      Integer(line[%r{\AHTTP/1\.[01] (\d{3})}, 1] || refuse("starts with #{line.inspect}"))
    end

    def read_headers
      length = nil
      chunked = false
      until (line = read_line).empty?
        name, value = line.split(": ", 2)
        case name.downcase
        when "content-length" then length = Integer(value)
        when "transfer-encoding" then chunked = value.casecmp?("chunked")
        when "connection" then @reusable = false if value.casecmp?("close")
        end
      end
      [length, chunked]
    end

    def read_chunks
      body = +""
      while (size = read_line.to_i(16)).positive?
        body << read_exactly(size)
        read_exactly(2)
      end
      read_line
      body
    end

    def read_line
      (@socket.gets("\r\n") || refuse("ends early")).chomp
    end

    def read_exactly(length)
      body = @socket.read(length)
      return body if body && body.bytesize == length

      refuse("ends early")
    end

    def refuse(problem)
      raise Failure, "an answer of the server #{problem}"
    end
  end
end
